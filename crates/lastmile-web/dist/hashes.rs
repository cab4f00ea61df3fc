// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "cbfb6c51d4c62f21", "sha384-twRfESxQSGiwCD7CoOnXZtLVLocsKePjH03L0LWntgkcwoB8KB0ZTG7KPQbBUlGt"),
    ("lastmile-core.js", "5904fa77ed62ed57", "sha384-poBeDeEda7lTi+kNtQCsFdvqbbLKcx07OpzuWBBGpQgK+VX94fi5ki83qIMUdm6/"),
    ("aggregatorClient.js", "05bea1bbac980ca3", "sha384-z5mHifcz4RXCiehmT3r8H0LIukNAzDg8IR3IzE+eVVwOLppKqpnDZ6nK7W7ugWxX"),
];
