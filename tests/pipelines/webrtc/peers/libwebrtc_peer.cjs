// libwebrtc without a browser: node libwebrtc_peer.cjs session|whip|whep URL [RTCConfiguration]
//
// What it sees is told as lines of JSON. Lines on its standard input go out on the control channel;
// when the input ends, a session of WHIP or WHEP is ended with DELETE.

const { RTCPeerConnection, MediaStream, nonstandard } = require("@roamhq/wrtc");

const [kind, url, configuration = "{}"] = process.argv.slice(2);
const [WIDTH, HEIGHT, GREY] = [320, 240, 200];
const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const peer = new RTCPeerConnection(JSON.parse(configuration));
peer.onconnectionstatechange = () => tell({ state: peer.connectionState });

function send() {
  const source = new nonstandard.RTCVideoSource();
  const data = new Uint8ClampedArray((WIDTH * HEIGHT * 3) / 2).fill(128).fill(GREY, 0, WIDTH * HEIGHT);
  setInterval(() => source.onFrame({ width: WIDTH, height: HEIGHT, data }), 1000 / 30);
  const track = source.createTrack();
  peer.addTrack(track, new MediaStream([track]));
}

function receive() {
  if (kind === "whep") peer.addTransceiver("video", { direction: "recvonly" });
  peer.ontrack = ({ track }) => {
    new nonstandard.RTCVideoSink(track).onframe = ({ frame: { width, height, data } }) => {
      const plane = data.subarray(0, width * height);
      tell({ luma: plane.reduce((sum, level) => sum + level, 0) / plane.length, width, height });
    };
  };
}

function openControl() {
  const channel = peer.createDataChannel("control");
  channel.onmessage = ({ data }) => tell({ message: JSON.parse(data) });
  require("node:readline").createInterface({ input: process.stdin })
    .on("line", (line) => channel.send(line));
}

async function gathered() {
  await peer.setLocalDescription(await peer.createOffer());
  if (peer.iceGatheringState !== "complete") await new Promise((resolve) => {
    peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && resolve();
  });
  return peer.localDescription.sdp;
}

async function exchange() {
  const sdp = await gathered();
  const [type, body] = kind === "session"
    ? ["application/json", JSON.stringify({ sdp })] : ["application/sdp", sdp];
  const response = await fetch(url, { method: "POST", headers: { "Content-Type": type }, body });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  await peer.setRemoteDescription(
    { type: "answer", sdp: kind === "session" ? JSON.parse(text).sdp : text });
  return response.headers.get("Location");
}

async function main() {
  if (kind !== "whep") send();
  if (kind !== "whip") receive();
  if (kind === "session") openControl();
  else process.stdin.resume();
  const place = await exchange();
  process.stdin.on("end", async () => {
    if (kind !== "session") await fetch(new URL(place, url), { method: "DELETE" });
    peer.close();
    process.exit(0);
  });
}

main();
