// A small chat with one contact:
//
//   node chat.js CONTACT [STATE_DIRECTORY]
//
// It shows the last lines of the history, then what is said from now on; each line that you type is sent. The daemon
// may restart meanwhile.
import { createInterface } from "node:readline";
import { type ChatLine, connect, FEED_OPENED, P4Error } from "p4-sdk";

const [reference, stateDir] = process.argv.slice(2);
if (reference === undefined) {
  console.error("Usage: node chat.js CONTACT [STATE_DIRECTORY]");
  process.exit(2);
}

try {
  await main(reference);
} catch (error) {
  if (!(error instanceof P4Error)) throw error;
  console.error(`${error.message} [${error.code}]`);
  process.exit(1);
}

async function main(contact: string): Promise<void> {
  const me = await connect(stateDir === undefined ? {} : { stateDir });
  const { id, name } = await me.contact(contact).status();
  const typed = createInterface({ input: process.stdin });
  const leaving = new AbortController();

  const following = (async () => {
    let shown = 0n;
    // Whenever events begin anew some may have been missed, so the history is asked. It has each line once.
    for await (const event of me.events([FEED_OPENED, "chat.message"], { signal: leaving.signal })) {
      const about = event.data["contact"] as { id: string } | undefined;
      if (event.kind !== FEED_OPENED && about?.id !== id) continue;
      const { entries } = await me.chat.page(id, { limit: 20 });
      for (const line of entries) {
        if (BigInt(line.id) > shown) console.log(shownLine(line, name));
      }
      const last = entries.at(-1);
      if (last === undefined) continue;
      shown = BigInt(last.id);
      if (!last.mine) await me.chat.markRead(id, last.id);
    }
  })();

  for await (const text of typed) if (text.trim() !== "") await me.chat.say(id, text);
  leaving.abort();
  await following;
  me.close();
}

function shownLine(line: ChatLine, name: string): string {
  // The text is a stranger's: nothing in it may steer the terminal.
  const text = line.text.replace(/[\p{Cc}\p{Cf}]/gu, "·");
  return `${line.mine ? "me" : name || line.id}: ${text}`;
}
