// Connects the camera to the server, and shows what comes back.

const element = (id) => document.getElementById(id);
const hash = new URLSearchParams(location.hash.slice(1));
const token = hash.get("token") ?? sessionStorage.getItem("token");
if (token) sessionStorage.setItem("token", token);

function say(text) { element("message").textContent = text; }

async function ask(path, options = {}) {
  const headers = { ...(options.body && { "Content-Type": "application/json" }),
                    ...(token && { Authorization: `Bearer ${token}` }) };
  const answer = await fetch(path, { ...options, headers });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail);
  return body;
}

async function gathered(peer) {
  if (peer.iceGatheringState === "complete") return;
  await new Promise((resolve) => {
    setTimeout(resolve, 2000);
    peer.addEventListener("icegatheringstatechange",
      () => peer.iceGatheringState === "complete" && resolve());
  });
}

async function start() {
  const status = await ask("api/status");
  if (status.model.state !== "ready") throw new Error(status.model.message);
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
  element("before").srcObject = stream;
  const peer = new RTCPeerConnection({ iceServers: status.ice_servers });
  for (const track of stream.getTracks()) peer.addTrack(track, stream);
  peer.addEventListener("track", ({ track }) => {
    element("after").srcObject = new MediaStream([track]);
  });
  peer.addEventListener("connectionstatechange", () => say(peer.connectionState));
  control(peer.createDataChannel("control"));
  await peer.setLocalDescription();
  await gathered(peer);
  const answer = await ask("api/sessions", {
    method: "POST", body: JSON.stringify({ sdp: peer.localDescription.sdp }),
  });
  await peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
}

function control(channel) {
  let id = 0;
  const set = (params) => channel.send(JSON.stringify({ v: 1, id: ++id, op: "set", params }));
  channel.addEventListener("message", ({ data }) => {
    const message = JSON.parse(data);
    if (message.ok === false) say(message.error.message);
    if (message.event === "state") {
      element("prompt").value = message.data.settings.prompt[0][0];
      element("strength").value = message.data.settings.strength;
    }
  });
  element("prompt").addEventListener("change", (event) => set({ prompt: event.target.value }));
  element("strength").addEventListener("input",
    (event) => set({ strength: Number(event.target.value) }));
}

element("start").addEventListener("click", () => start().catch((error) => say(error.message)));
