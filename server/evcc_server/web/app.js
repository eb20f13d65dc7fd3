"use strict";
// Shows what /ws sends: the first frame holds everything, later frames one key each.

const state = { site: {}, loadpoints: [] };
const byId = (id) => document.getElementById(id);
const language = navigator.language.startsWith("de") ? "de" : "en";
const words = {
  en: {
    sun: "Sun", grid: "Grid", battery: "Battery", house: "House", cars: "Charging", live: "live", lost: "connection lost, trying again",
    off: "Off", pv: "Sun", minpv: "Min+Sun", now: "Fast", none: "no vehicle", guest: "unknown vehicle", charged: "charged", offered: "offered",
    goal: "limit", phases: "phases", remaining: "remaining", finish: "finish by", plan: "plan starts", share: "own energy", price: "grid price",
    age: "grid meter", ago: "ago", imports: "import", exports: "export", charges: "charging", discharges: "discharging", token: "A token is needed to change anything:",
  },
  de: {
    sun: "Sonne", grid: "Netz", battery: "Speicher", house: "Haus", cars: "Laden", live: "live", lost: "Verbindung verloren, neuer Versuch",
    off: "Aus", pv: "Sonne", minpv: "Min+Sonne", now: "Schnell", none: "kein Fahrzeug", guest: "unbekanntes Fahrzeug", charged: "geladen",
    offered: "angeboten", goal: "Grenze", phases: "Phasen", remaining: "Rest", finish: "fertig um", plan: "Plan beginnt", share: "eigene Energie",
    price: "Netzpreis", age: "Netzzähler", ago: "her", imports: "Bezug", exports: "Einspeisung", charges: "lädt", discharges: "entlädt", token: "Zum Ändern ist ein Token nötig:",
  },
}[language];
document.documentElement.lang = language;

const number = (value, digits = 0) =>
  value === null || value === undefined ? "–" : value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
const power = (watt) =>
  watt === null || watt === undefined ? "–" : Math.abs(watt) < 1000 ? `${number(watt)} W` : `${number(watt / 1000, 2)} kW`;
const directed = (watt, positive, negative) =>
  watt === null || watt === undefined || Math.abs(watt) < 20 ? power(watt) : `${power(Math.abs(watt))} ${watt > 0 ? positive : negative}`;
const duration = (seconds) => {
  const minutes = Math.round(seconds / 60);
  return seconds < 90 ? `${seconds} s` : minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
};
const clock = (text) => new Date(text).toLocaleString(language, { weekday: "short", hour: "2-digit", minute: "2-digit" });

// With `api: {compat: today}` the server says these in other words.
const ofToday = { offeredCurrent: "chargeCurrent", effectiveLimitSoc: "targetSoc", planTime: "targetTime", greenShareHome: "greenShare" };

function take(frame) {
  for (const [key, value] of Object.entries(frame)) {
    const found = /^loadpoints\.(\d+)\.(.+)$/.exec(key);
    if (found) {
      (state.loadpoints[found[1]] ??= {})[ofToday[found[2]] ?? found[2]] = value;
    } else if (key === "warn" || key === "error") {
      notice(value);
    } else if (key === "log") {
      notice(value.message);
    } else {
      state.site[ofToday[key] ?? key] = value;
      if (key === "pv") state.site.pvConfigured = value?.length > 0;
      if (key === "battery") state.site.batteryConfigured = value !== null && value.length !== 0;
    }
  }
  if (!isShowDue) requestAnimationFrame(show);
  isShowDue = true;
}

let isShowDue = false;
function show() {
  isShowDue = false;
  const { site } = state;
  document.title = site.siteTitle || "evcclib";
  byId("title").textContent = site.siteTitle || "evcclib";
  byId("version").textContent = site.version || "";
  showFlows(site);
  const figures = [];
  if (site.gridConfigured) figures.push([words.grid, directed(site.gridPower, words.imports, words.exports)]);
  if (site.pvConfigured) figures.push([words.sun, power(site.pvPower)]);
  if (site.batteryConfigured) figures.push([words.battery, `${directed(site.batteryPower, words.discharges, words.charges)} · ${number(site.batterySoc)} %`]);
  figures.push([words.house, power(site.homePower)]);
  figures.push([words.share, site.greenShare === null || site.greenShare === undefined ? "–" : `${number(site.greenShare * 100)} %`]);
  if (site.tariffGrid !== undefined && site.tariffGrid !== null) figures.push([words.price, `${number(site.tariffGrid, 3)} ${site.currency}/kWh`]);
  if (site.gridAge > 30) figures.push([words.age, `${duration(site.gridAge)} ${words.ago}`]);
  list(byId("figures"), figures);
  state.loadpoints.forEach(showLoadpoint);
}

function list(element, rows) {
  element.replaceChildren(...rows.flatMap(([name, value]) => {
    const term = document.createElement("dt");
    const description = document.createElement("dd");
    term.textContent = name;
    description.textContent = value;
    return [term, description];
  }));
}

const places = { sun: [200, 35], grid: [55, 125], battery: [345, 125], house: [120, 215], cars: [280, 215] };
const svg = (name, attributes, text) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
};

function showFlows(site) {
  // of one that is not known (null) the sum is not known either
  const charging = state.loadpoints.reduce((sum, { chargePower }) => (sum === null || chargePower === null ? null : sum + (chargePower || 0)), 0);
  const flows = { sun: site.pvPower, grid: site.gridPower, battery: site.batteryPower, house: site.homePower === null ? null : -site.homePower, cars: charging === null ? null : -charging };
  const colours = { sun: "--sun", grid: "--grid", battery: "--battery", house: "--house", cars: "--car" };
  const shown = Object.keys(flows).filter((name) =>
    !((name === "sun" && !site.pvConfigured) || (name === "grid" && !site.gridConfigured) || (name === "battery" && !site.batteryConfigured)));
  byId("lines").replaceChildren(...shown.map((name) => {
    const [x, y] = places[name];
    const watt = flows[name] || 0;
    const line = svg("line", { x1: x, y1: y, x2: 200, y2: 125, class: Math.abs(watt) < 20 ? "" : watt > 0 ? "flowing" : "flowing back" });
    if (Math.abs(watt) >= 20) line.style.stroke = `var(${colours[name]})`;
    return line;
  }));
  byId("nodes").replaceChildren(...shown.flatMap((name) => {
    const [x, y] = places[name];
    const circle = svg("circle", { cx: x, cy: y, r: 42, fill: "var(--card)", "stroke-width": 3 });
    circle.style.stroke = `var(${colours[name]})`;
    const value = flows[name];
    return [
      circle,
      svg("text", { x, y: y - 4 }, words[name]),
      svg("text", { x, y: y + 13, class: "value" }, power(value === null || value === undefined || Number.isNaN(value) ? null : Math.abs(value))),
    ];
  }));
}

function showLoadpoint(loadpoint, index) {
  let card = byId("loadpoints").children[index];
  while (!card) {
    const made = byId("loadpoint").content.firstElementChild.cloneNode(true);
    const number = byId("loadpoints").children.length + 1;
    for (const mode of ["off", "pv", "minpv", "now"]) {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.mode = mode;
      button.textContent = words[mode];
      button.addEventListener("click", () => send(`api/loadpoints/${number}/mode/${mode}`));
      made.querySelector(".modes").append(button);
    }
    byId("loadpoints").append(made);
    card = byId("loadpoints").children[index];
  }
  card.querySelector("h2").textContent = loadpoint.title || `${index + 1}`;
  card.querySelector(".vehicle").textContent = !loadpoint.connected ? words.none : loadpoint.vehicleTitle || words.guest;
  card.querySelector(".power").textContent = power(loadpoint.chargePower);
  card.querySelector(".reason").textContent = loadpoint.reason ? loadpoint.reason.text : "";
  for (const button of card.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.mode === loadpoint.mode));
  const soc = card.querySelector(".soc");
  soc.hidden = !loadpoint.vehicleSoc;
  soc.setAttribute("aria-label", `${number(loadpoint.vehicleSoc)} %`);
  soc.querySelector("span").style.width = `${loadpoint.vehicleSoc || 0}%`;
  soc.querySelector("i").style.left = `${loadpoint.targetSoc || 100}%`;
  const rows = [];
  if (loadpoint.vehicleSoc) rows.push(["SoC", `${number(loadpoint.vehicleSoc)} % · ${words.goal} ${number(loadpoint.targetSoc)} %`]);
  rows.push([words.charged, `${number((loadpoint.chargedEnergy || 0) / 1000, 2)} kWh`]);
  rows.push([words.offered, `${number(loadpoint.chargeCurrent, 1)} A · ${loadpoint.phasesActive} ${words.phases}`]);
  if (loadpoint.chargeRemainingDuration) rows.push([words.remaining, duration(loadpoint.chargeRemainingDuration)]);
  if (loadpoint.targetTime) rows.push([words.finish, clock(loadpoint.targetTime)]);
  if (loadpoint.planProjectedStart) rows.push([words.plan, clock(loadpoint.planProjectedStart)]);
  list(card.querySelector("dl"), rows);
}

async function send(path) {
  const token = localStorage.getItem("token");
  const response = await fetch(path, { method: "POST", headers: token ? { Authorization: `Bearer ${token}` } : {} });
  if (response.status === 401) {
    const given = prompt(words.token);
    if (given) {
      localStorage.setItem("token", given);
      await send(path);
    }
  } else if (!response.ok) {
    notice((await response.json()).error);
  }
}

let noticeEnds;
function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = false;
  clearTimeout(noticeEnds);
  noticeEnds = setTimeout(() => { byId("notice").hidden = true; }, 8000);
}

function tellApp(type) {
  window.ReactNativeWebView?.postMessage(JSON.stringify({ type }));
}

byId("servers").hidden = !window.ReactNativeWebView;
byId("servers").addEventListener("click", () => tellApp("settings"));

function connect() {
  const address = new URL("ws", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = new WebSocket(address);
  let isShown = false;
  socket.onopen = () => {
    byId("connection").textContent = words.live;
    byId("connection").className = "";
  };
  socket.onmessage = (event) => {
    take(JSON.parse(event.data));
    if (!isShown) tellApp("online"); // evcc's app shows the page from now on
    isShown = true;
  };
  socket.onclose = () => {
    tellApp("offline");
    byId("connection").textContent = words.lost;
    byId("connection").className = "lost";
    setTimeout(connect, 2500);
  };
}
connect();
