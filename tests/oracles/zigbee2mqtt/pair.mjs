// What a user of Zigbee2MQTT does at its page, over MQTT: add install codes, open the network, wait until every device
// is paired, ask for reports, and watch values. Usage: node pair.mjs MQTT_URL SECONDS EUI64=CODE... ; a EUI64 whose
// energy is to be seen changing has a + before it. Reports one JSON object a line on standard output.
import mqtt from "mqtt";

const [url, seconds, ...given] = process.argv.slice(2);
const devices = given.map((text) => {
    const [eui64, code] = text.replace("+", "").split("=");
    return {name: `0x${eui64.toLowerCase()}`, eui64, code, metered: text.startsWith("+")};
});
const report = (event, facts = {}) => process.stdout.write(`${JSON.stringify({event, ...facts})}\n`);
const end = (status, message) => {
    report(status ? "error" : "done", {message});
    process.exit(status);
};
const progress = {paired: new Set(), energy: new Map()};
setTimeout(() => {
    const energy = Object.fromEntries([...progress.energy].map(([name, values]) => [name, [...values]]));
    end(1, `not done within ${seconds} s: ${JSON.stringify({paired: [...progress.paired], energy})}`);
}, Number(seconds) * 1000);

const client = await mqtt.connectAsync(url);
const waiting = new Map();
let transactions = 0;

async function ask(what, payload) {
    const transaction = String(++transactions);
    const answered = new Promise((resolve, reject) => waiting.set(transaction, {resolve, reject}));
    await client.publishAsync(`zigbee2mqtt/bridge/request/${what}`, JSON.stringify({...payload, transaction}));
    return await answered;
}

function answer({transaction, status, error, data}) {
    const {resolve, reject} = waiting.get(transaction) ?? {};
    waiting.delete(transaction);
    status === "ok" ? resolve?.(data) : reject?.(new Error(error));
}

const gather = (predicate) => new Promise((resolve) => watchers.push({predicate, resolve}));
const watchers = [];

client.on("message", (topic, octets) => {
    const name = topic.slice("zigbee2mqtt/".length);
    const text = octets.toString();
    if (name.startsWith("bridge/response/")) {
        answer(JSON.parse(text));
    } else if (name === "bridge/event") {
        const {type, data} = JSON.parse(text);
        if (type === "device_interview" && data.status !== "started") {
            report("interviewed", {eui64: data.ieee_address, status: data.status});
            progress.paired.add(data.ieee_address);
        }
    } else if (devices.some((device) => device.name === name)) {
        const state = JSON.parse(text);
        report("state", {eui64: name, state});
        if (state.energy !== undefined) {
            progress.energy.set(name, (progress.energy.get(name) ?? new Set()).add(state.energy));
        }
    }
    for (const watcher of watchers.filter(({predicate}) => predicate())) {
        watchers.splice(watchers.indexOf(watcher), 1);
        watcher.resolve();
    }
});

await client.subscribeAsync("zigbee2mqtt/#");
try {
    for (const {eui64, code} of devices) {
        await ask("install_code/add", {value: `${eui64}|${code}`});
    }
    await ask("permit_join", {time: 254});
    report("open");
    await gather(() => devices.every(({name}) => progress.paired.has(name)));
    await ask("permit_join", {time: 0});
    for (const {name} of devices.filter(({metered}) => metered)) {
        await ask("device/configure_reporting", {
            id: name,
            endpoint: "1",
            cluster: "seMetering",
            attribute: "currentSummDelivered",
            minimum_report_interval: 5,
            maximum_report_interval: 600,
            reportable_change: 1,
        });
        report("reporting", {eui64: name});
    }
    await gather(() => devices.every(({name, metered}) => !metered || (progress.energy.get(name)?.size ?? 0) >= 2));
    end(0);
} catch (error) {
    end(1, error.message);
}
