// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "20df6ad3f4f52ec9", "sha384-3ZHzVxXIMCMVHqUvaFq16g4zviYgkVlHe8P9VatMAHNlZDZCABrbncOCUsUkFEGx"),
    ("lastmile-core.js", "8cdd2a54879be26b", "sha384-GhiGIaFzRKaGI/ehKTiaGldgdhVx+kfG5T7C6l2nwx6frKHojbqbS6wnUbejCzyd"),
    ("aggregatorClient.js", "ff63f462d396d4b4", "sha384-2srn5N9tmEW2xIBjqG1nAifk/ZK02JSpcVry09z/YPoIyaEvGJmX0os4u8dfusnV"),
];
