// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "d14c6139dadba3e4", "sha384-KLxSF+MBlHZ8hFALwW6j/6eqNWppZ3ylBZxdheZnW9OjXZhmb4a1DEOBFbF+iEjV"),
    ("lastmile-core.js", "cee376325721dea9", "sha384-zR0W0Xv0yphGg7pGxbKJmiMYOU2R6CP1NeN3X77yR+u1PeAQDk2fZqmSBRwLsaXa"),
    ("aggregatorClient.js", "c72db8179ad7077b", "sha384-jI/Y8zcApUKWLEWvAFzyJUN5fkBIqUZ/JgkxU5gXxZbIsagNAp92KDF+iv4JMyFp"),
];
