// A real Firefox, as it is: driven by WebDriver BiDi, through puppeteer-core.

import puppeteer from "puppeteer-core";

import { fromXtask } from "./processes.mjs";

export const startFirefox = () =>
  puppeteer.launch({ browser: "firefox", executablePath: fromXtask("E2E_FIREFOX"), headless: true });
