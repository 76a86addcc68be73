// Prints how many durable sends, and how many sealed and verified envelopes, this machine does in a second.
//
//   P4_COMMAND=… npm run bench
import { utf8 } from "../src/bytes.js";
import { canonicalText, Envelope, Identity, seal, sealAsync, verifySignature } from "../src/index.js";
import { pair } from "../test/daemons.js";

const ENVELOPES = 10_000;
const MESSAGES = 2_000;
const AT_A_TIME = 32;
const IN_A_BATCH = 100;
const PAYLOAD = { type: "ping", session_id: "0123456789abcdef" };

async function envelopes(): Promise<void> {
  const { identity } = Identity.generate();
  const me = Identity.generate().identity.peerId;
  const once = (): void => {
    Envelope.parse(seal(identity, me, PAYLOAD)).verify(identity.publicKey, { me });
  };
  for (let count = 0; count < 500; count++) once();
  const message = utf8(canonicalText(PAYLOAD));
  let began = performance.now();
  for (let count = 0; count < ENVELOPES; count++) {
    verifySignature(identity.publicKey, identity.sign(message), message);
  }
  say("signatures alone, made and verified", ENVELOPES, (performance.now() - began) / 1000);
  const cpu = process.cpuUsage();
  began = performance.now();
  for (let count = 0; count < ENVELOPES; count++) once();
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  say("envelopes sealed, read and verified", ENVELOPES, seconds);
  say("the same, for each second of processor time", ENVELOPES, (user + system) / 1e6);
  await inBackground(identity, me);
}

async function inBackground(identity: Identity, me: string): Promise<void> {
  let left = ENVELOPES;
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      const line = await sealAsync(identity, me, PAYLOAD);
      await Envelope.parse(line).verifyAsync(identity.publicKey, { me });
    }
  };
  const cpu = process.cpuUsage();
  const began = performance.now();
  await Promise.all(Array.from({ length: AT_A_TIME }, one));
  say(`the same in the background, ${AT_A_TIME} at a time`, ENVELOPES, (performance.now() - began) / 1000);
  const { user, system } = process.cpuUsage(cpu);
  say("the same, for each second of processor time", ENVELOPES, (user + system) / 1e6);
}

async function sends(): Promise<void> {
  const two = await pair();
  try {
    const phone = two.laptop.contact("phone");
    const options = { service: "notes" };
    await phone.send(0, options);
    let began = performance.now();
    let next = 0;
    const one = async (): Promise<void> => {
      while (next < MESSAGES) await phone.send(next++, options);
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, one));
    say(`durable sends, ${AT_A_TIME} at a time`, MESSAGES, (performance.now() - began) / 1000);
    began = performance.now();
    for (let start = 0; start < MESSAGES; start += IN_A_BATCH) {
      await phone.sendMany(
        Array.from({ length: IN_A_BATCH }, (_, place) => start + place),
        options,
      );
    }
    say(`durable sends, ${IN_A_BATCH} in a request`, MESSAGES, (performance.now() - began) / 1000);
  } finally {
    await two.remove();
  }
}

function say(what: string, count: number, seconds: number): void {
  console.log(`${what}: ${Math.round(count / seconds)}/s`);
}

await envelopes();
if (!process.argv.includes("--envelopes")) await sends();
