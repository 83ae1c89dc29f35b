export default { files: ["*.mjs", "!ava.config.mjs"] };
