"use strict";
// Draws the list of operations from openapi.json and lets each be tried.

const make = (name, text, attributes = {}) => {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};

function operation(path, method, description) {
  const details = make("details");
  const summary = make("summary");
  summary.append(make("b", method.toUpperCase()), make("code", path), " ", make("small", description.summary));
  details.append(summary);
  const form = make("form");
  for (const parameter of description.parameters) {
    const label = make("label");
    const input = make("input", undefined, { name: parameter.name });
    input.value = parameter.in === "path" ? parameter.example || "" : "";
    input.dataset.place = parameter.in;
    label.append(make("code", parameter.name), input, make("small", parameter.description));
    form.append(label);
  }
  let body;
  if (description.requestBody) {
    body = make("textarea", undefined, { rows: 3, "aria-label": "body" });
    body.value = JSON.stringify(description.requestBody.content["application/json"].example);
    form.append(body);
  }
  const answer = make("pre", Object.entries(description.responses).map(([status, response]) => {
    const example = Object.values(response.content || {})[0]?.example;
    return `${status}  ${response.description}${example === undefined ? "" : `\n     ${JSON.stringify(example)}`}`;
  }).join("\n"));
  form.append(make("button", "Try it"), answer);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    let address = path;
    const query = new URLSearchParams();
    for (const input of form.querySelectorAll("input")) {
      if (input.dataset.place === "path") address = address.replace(`{${input.name}}`, encodeURIComponent(input.value));
      else if (input.value) query.set(input.name, input.value);
    }
    const base = location.pathname.replace(/\/api\/docs\/?$/, "");
    const token = localStorage.getItem("token");
    const response = await fetch(base + address + (query.size ? `?${query}` : ""), {
      method: method.toUpperCase(), body: body?.value, headers: token ? { Authorization: `Bearer ${token}` } : {},
    });
    const text = await response.text();
    answer.textContent = `${response.status}\n${text}`;
  });
  details.append(form);
  return details;
}

async function draw() {
  const description = await (await fetch("openapi.json")).json();
  const groups = new Map();
  for (const [path, operations] of Object.entries(description.paths)) {
    for (const [method, each] of Object.entries(operations)) {
      const group = each.tags[0];
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(operation(path, method, each));
    }
  }
  const main = document.getElementById("operations");
  main.replaceChildren();
  for (const [group, operations] of groups) main.append(make("h2", group), ...operations);
}
draw();
