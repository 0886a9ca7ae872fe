// A real Firefox with a camera of its own: node firefox.cjs PROGRAM FOLDER
//
// Each line of its input, {"id", "page", "do", "with"}, is a method of a page and its arguments;
// its answer is {"id", "result"} or {"id", "error"}. The browser ends with the input.

const puppeteer = require("puppeteer-core");

const [executablePath, userDataDir] = process.argv.slice(2);
const extraPrefsFirefox = {
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  "media.autoplay.default": 0,
  "network.dns.disabled": false,
  "network.proxy.type": 0,
};
const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

async function answer(pages, browser, { id, page = 0, do: method, with: given }) {
  try {
    pages[page] ??= await browser.newPage();
    const result = await pages[page][method](...given);
    const plain = ["evaluate", "url", "title"].includes(method) ? result : null;
    tell({ id, result: plain ?? null });
  } catch (error) {
    tell({ id, error: String(error) });
  }
}

async function main() {
  const browser = await puppeteer.launch({
    browser: "firefox", executablePath, userDataDir, extraPrefsFirefox, headless: true,
    defaultViewport: { width: 1280, height: 900 },
  });
  tell({ version: await browser.version() });
  const pages = await browser.pages();
  pages[0].on("console", (message) => {
    if (["error", "warn"].includes(message.type())) tell({ complaint: message.text() });
  });
  pages[0].on("pageerror", (error) => tell({ complaint: String(error) }));
  const input = require("node:readline").createInterface({ input: process.stdin });
  input.on("line", (line) => answer(pages, browser, JSON.parse(line)));
  input.on("close", async () => {
    await browser.close();
    process.exit(0);
  });
}

main();
