"""Scripts of a page that sends numbered frames, and measures them when they are received."""

BITS = 12

COUNT = """
async () => {
  const BITS = NUMBER_OF_BITS, SIDE = 512, BAR = 64;
  const canvas = Object.assign(document.createElement("canvas"), {width: SIDE, height: SIDE});
  const pen = canvas.getContext("2d"), step = SIDE / (BITS + 2);
  const sentAt = new Map();
  let number = 0;
  const draw = () => {
    number = (number + 1) % (1 << BITS);
    for (let y = BAR; y < SIDE; y += 64) for (let x = 0; x < SIDE; x += 64) {
      pen.fillStyle = `hsl(${x + y + number * 3} 60% 55%)`;  // detail to encode
      pen.fillRect(x, y, 64, 64);
    }
    for (let index = 0; index < BITS + 2; index++) {  // white, black, bits
      const white = index === 0 || (index > 1 && Boolean(number >> (index - 2) & 1));
      [white, !white].forEach((each, row) => {
        pen.fillStyle = each ? "#fff" : "#000";
        pen.fillRect(index * step, row * BAR / 2, step, BAR / 2);
      });
    }
    sentAt.set(number, performance.now());
  };
  setInterval(draw, 1000 / 30);
  const stream = canvas.captureStream(30);
  const peer = window.peer = new RTCPeerConnection();
  stream.getTracks().forEach((track) => peer.addTrack(track, stream));
  const video = Object.assign(document.createElement("video"),
                              {autoplay: true, muted: true, playsInline: true});
  document.body.appendChild(video);
  peer.ontrack = ({track}) => { video.srcObject = new MediaStream([track]); };
  const small = Object.assign(document.createElement("canvas"), {width: SIDE, height: 2});
  const eye = small.getContext("2d", {willReadFrequently: true});
  window.seen = [];
  const look = () => {
    const now = performance.now();
    for (const row of [0, 1]) {
      const y = video.videoHeight * BAR / SIDE * (0.25 + 0.5 * row);
      eye.drawImage(video, 0, y, video.videoWidth, 1, 0, row, SIDE, 1);
    }
    const {data} = eye.getImageData(0, 0, SIDE, 2);
    const level = (index, row) => data[4 * (row * SIDE + Math.round((index + 0.5) * step))];
    const apart = (index) => level(index, 0) - level(index, 1);
    let got = 0, sure = apart(0) > 30 && apart(1) < -30;
    for (let bit = 0; bit < BITS; bit++) {  // a blend of two frames has no number
      got |= (apart(bit + 2) > 0) << bit;
      sure &&= Math.abs(apart(bit + 2)) > 30;
    }
    sure &&= sentAt.has(got);
    window.seen.push({at: now, delay: sure ? now - sentAt.get(got) : null});
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
  await peer.setLocalDescription();
  if (peer.iceGatheringState !== "complete") await new Promise((resolve) => {
    peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && resolve();
  });
  const answer = await fetch("api/sessions", {
    method: "POST", headers: {"Content-Type": "application/json"},
    body: JSON.stringify({sdp: peer.localDescription.sdp}),
  });
  await peer.setRemoteDescription({type: "answer", sdp: (await answer.json()).sdp});
}
""".replace("NUMBER_OF_BITS", str(BITS))

MEASURE = """
async (seconds) => {
  const inbound = async () => [...(await peer.getStats()).values()].find(
    ({type, kind}) => type === "inbound-rtp" && kind === "video") ?? {};
  const before = await inbound(), begun = performance.now();
  window.seen = [];
  const read = () => seen.filter(({delay}) => delay !== null).length;
  while (performance.now() - begun < seconds * 1000 || read() < 10) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const after = await inbound(), span = (performance.now() - begun) / 1000;
  const delays = seen.map(({delay}) => delay).filter((delay) => delay !== null);
  delays.sort((one, other) => one - other);
  const part = (share) => Math.round(delays[Math.floor(delays.length * share)] ?? NaN);
  const times = [begun, ...seen.map(({at}) => at), performance.now()];
  const gaps = times.slice(1).map((at, index) => at - times[index]);
  const more = (name) => (after[name] ?? 0) - (before[name] ?? 0);
  return {fps: more("framesDecoded") / span, p50: part(0.5), p95: part(0.95), read: delays.length,
          freezes: more("freezeCount"), longest_gap: Math.round(Math.max(...gaps)),
          kbits: more("bytesReceived") * 8 / 1000 / span, lost: more("packetsLost"),
          size: `${after.frameWidth}x${after.frameHeight}`};
}
"""
"""Measures for the given seconds, and until ten frames are read. Gives frames per second, delays in
ms, and freezes as WebRTC counts them."""
