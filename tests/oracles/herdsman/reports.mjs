// Form a network on the given radio, let a meter in by its install code, bind and configure reports of its register, and
// wait for some. Usage: node reports.mjs ADAPTER PATH WORK_FOLDER EUI64 CODE SECONDS. Reports one JSON object a line.
import {appendFileSync} from "node:fs";
import {join} from "node:path";
import herdsman from "zigbee-herdsman";

const [adapter, path, folder, eui64, code, seconds] = process.argv.slice(2);
const REPORTS = 4;
const report = (event, facts = {}) => process.stdout.write(`${JSON.stringify({event, ...facts})}\n`);
const log = (level) => (message, namespace) => {
    const text = typeof message === "function" ? message() : message;
    appendFileSync(join(folder, "herdsman.log"), `${new Date().toISOString()} ${level} ${namespace}: ${text}\n`);
};
herdsman.setLogger({debug: log("debug"), info: log("info"), warning: log("warning"), error: log("error")});

const controller = new herdsman.Controller({
    network: {
        panID: 0x1a62,
        extendedPanID: [0xdd, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77],
        channelList: [15],
        networkKey: [1, 3, 5, 7, 9, 11, 13, 15, 0, 2, 4, 6, 8, 10, 12, 13],
        networkKeyDistribute: false,
    },
    transport: {path, adapter},
    databasePath: join(folder, "devices.db"),
    databaseBackupPath: join(folder, "devices.db.backup"),
    backupPath: join(folder, "backup.json"),
    adapter: {disableLED: false, concurrent: 8},
    acceptJoiningDeviceHandler: async () => true,
});

const finish = (status, message) => {
    report(status ? "error" : "stopped", {message});
    process.exit(status);
};
setTimeout(() => finish(1, `not done within ${seconds} s`), Number(seconds) * 1000);

const interviewed = new Promise((resolve, reject) =>
    controller.on("deviceInterview", ({status, device}) => {
        if (status !== "started") {
            status === "successful" ? resolve(device) : reject(new Error("the interview failed"));
        }
    }),
);

let received = 0;
const reported = new Promise((resolve) =>
    controller.on("message", ({type, cluster, data}) => {
        if (type === "attributeReport" && cluster === "seMetering") {
            report("report", data);
            if (++received === REPORTS) {
                resolve();
            }
        }
    }),
);

try {
    await controller.start();
    await controller.addInstallCode(`${eui64}|${code}`);
    await controller.permitJoin(254);
    report("open");
    const device = await interviewed;
    const endpoint = device.getEndpoint(1);
    await endpoint.bind("seMetering", controller.getDevicesByType("Coordinator")[0].getEndpoint(1));
    await endpoint.configureReporting("seMetering", [
        {attribute: "currentSummDelivered", minimumReportInterval: 5, maximumReportInterval: 60, reportableChange: 1},
    ]);
    report("configured");
    await reported;
    await controller.stop();
    finish(0);
} catch (error) {
    finish(1, error.stack);
}
