// Form a network on the given radio, let one device in, interview it, read its attributes and, if it is a light, switch it on.
// Usage: node interview.mjs ADAPTER PATH WORK_FOLDER. Reports one JSON object a line on standard output.
import {appendFileSync} from "node:fs";
import {join} from "node:path";
import herdsman from "zigbee-herdsman";

const [adapter, path, folder] = process.argv.slice(2);
const JOIN_SECONDS = 60;
const NETWORK_KEY = [1, 3, 5, 7, 9, 11, 13, 15, 0, 2, 4, 6, 8, 10, 12, 13];

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
        networkKey: NETWORK_KEY,
        networkKeyDistribute: false,
    },
    transport: {path, adapter},
    databasePath: join(folder, "devices.db"),
    databaseBackupPath: join(folder, "devices.db.backup"),
    backupPath: join(folder, "backup.json"),
    adapter: {disableLED: false, concurrent: 8},
    acceptJoiningDeviceHandler: async () => true,
});

const interviewed = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no device was interviewed in ${JOIN_SECONDS} s`)), JOIN_SECONDS * 1000);
    controller.on("deviceJoined", ({device}) => report("joined", {eui64: device.ieeeAddr, short: device.networkAddress}));
    controller.on("deviceInterview", ({status, device}) => {
        report("interview", {status, eui64: device.ieeeAddr});
        if (status === "started") {
            return;
        }
        clearTimeout(timer);
        status === "successful" ? resolve(device) : reject(new Error("the interview failed"));
    });
});

const describe = (device) => ({
    type: device.type,
    manufacturerID: device.manufacturerID,
    manufacturer: device.manufacturerName,
    model: device.modelID,
    endpoints: device.endpoints.map((endpoint) => ({
        id: endpoint.ID,
        profile: endpoint.profileID,
        device: endpoint.deviceID,
        inputs: endpoint.inputClusters,
        outputs: endpoint.outputClusters,
    })),
});

async function main() {
    const result = await controller.start();
    report("started", {result, version: await controller.getCoordinatorVersion(), network: await controller.getNetworkParameters()});
    await controller.permitJoin(JOIN_SECONDS);
    report("open");
    const device = await interviewed;
    report("interviewed", describe(device));
    const endpoint = device.endpoints[0];
    const basic = await endpoint.read("genBasic", ["zclVersion", "modelId", "powerSource"]);
    if (endpoint.supportsInputCluster("genOnOff")) {
        await endpoint.command("genOnOff", "on", {});
        const state = await endpoint.read("genOnOff", ["onOff"]);
        report("read", {basic, onOff: state.onOff});
    } else {
        report("read", {basic});
    }
    await controller.permitJoin(0);
    await controller.stop();
    report("stopped");
}

main().then(
    () => process.exit(0),
    (error) => {
        report("error", {message: error.message, stack: error.stack});
        process.exit(1);
    },
);
