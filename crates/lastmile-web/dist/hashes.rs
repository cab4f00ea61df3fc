// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "46cb1fe95f740d2b", "sha384-yzGj6o3eNDhftE8QmX1MBXYyj/PmqaXti0V2TjLWIZw2YQ+6uE3Uo3wOV7tIZFxu"),
    ("lastmile-core.js", "3afb884ddc55c483", "sha384-DLmUnIDo/zSxVCzPBr2dUtKQ1jUDIuwQbvru9lHUdwePTQp0DOpmeOdTr6ZLpnyz"),
    ("aggregatorClient.js", "c8b057ec8288ea07", "sha384-lCM6oQgiZIjzqzXdGKaokRgN7XqzzZnhLqrEGFlSGqWZTXvAf+jJak2AGmN2RyMq"),
];
