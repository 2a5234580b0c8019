// One page is a guest: it sends the browser's camera by WHIP with one codec,
// and watches by WHEP. The test calls publish, watch and figures.
async function exchange(peer, url, key) {
  await peer.setLocalDescription();
  await new Promise((resolve) => {
    peer.addEventListener("icegatheringstatechange", () => peer.iceGatheringState === "complete" && resolve());
    setTimeout(resolve, 1000);
  });
  const headers = { "Content-Type": "application/sdp" };
  if (key) headers.Authorization = `Bearer ${key}`;
  const answer = await fetch(url, { method: "POST", headers, body: peer.localDescription.sdp });
  const text = await answer.text();
  if (answer.status !== 201) throw new Error(`${answer.status} ${text}`);
  await peer.setRemoteDescription({ type: "answer", sdp: text });
  return new URL(answer.headers.get("Location"), url).href;
}

const peers = {};

window.publish = async (url, key, codec) => {
  const peer = (peers.publish = new RTCPeerConnection());
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 360, frameRate: 25 }, audio: true });
  document.getElementById("own").srcObject = stream;
  for (const track of stream.getTracks()) {
    const sender = peer.addTransceiver(track, { direction: "sendonly", streams: [stream] });
    if (track.kind !== "video") continue;
    const wanted = RTCRtpSender.getCapabilities("video").codecs.filter((c) => c.mimeType.toLowerCase() === `video/${codec}`);
    sender.setCodecPreferences(wanted);
  }
  return exchange(peer, url, key);
};

window.watch = async (name, url) => {
  const peer = (peers[name] = new RTCPeerConnection());
  const stream = new MediaStream();
  peer.ontrack = ({ track }) => stream.addTrack(track);
  peer.addTransceiver("video", { direction: "recvonly" });
  peer.addTransceiver("audio", { direction: "recvonly" });
  const session = await exchange(peer, url);
  // Chromium hands remote sound to Web Audio only while an element plays it.
  const element = name === "program" ? document.getElementById("program") : new Audio();
  element.muted = true;
  element.srcObject = stream;
  void element.play();
  const context = new AudioContext({ sampleRate: 48000 });
  const analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
  context.createMediaStreamSource(stream).connect(analyser);
  analysers[name] = analyser;
  return session;
};

const analysers = {};

// level is the level of a tone in dBFS, over the last sixth of a second.
function level(analyser, hz) {
  const bins = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(bins);
  const bin = Math.round((hz * analyser.fftSize) / 48000);
  return Math.max(-200, ...bins.slice(bin - 1, bin + 2));
}

window.leave = async (name, session) => {
  const answer = await fetch(session, { method: "DELETE", headers: name === "publish" ? { Authorization: `Bearer ${window.key}` } : {} });
  peers[name].close();
  return answer.status;
};

window.figures = async () => {
  const figures = {};
  for (const [name, peer] of Object.entries(peers)) {
    const mine = (figures[name] = { state: peer.connectionState });
    if (analysers[name]) mine.tone = level(analysers[name], 440);
    for (const report of (await peer.getStats()).values()) {
      if (report.type === "inbound-rtp" && report.kind === "video") Object.assign(mine, { frames: report.framesDecoded, freezes: report.freezeCount, width: report.frameWidth });
      if (report.type === "inbound-rtp" && report.kind === "audio") mine.samples = report.totalSamplesReceived;
      if (report.type === "outbound-rtp" && report.kind === "video") Object.assign(mine, { sent: report.framesEncoded });
    }
  }
  return figures;
};
