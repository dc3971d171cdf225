// PostGraphile on one database, on a port that is written to standard output; ends with its standard input.
const http = require("http");
const { Pool } = require("pg");
const { postgraphile } = require("postgraphile");

const pool = new Pool({ connectionString: process.argv[2], max: 1 });
const options = {
  appendPlugins: [require("postgraphile-plugin-connection-filter")],
  disableQueryLog: true,
  dynamicJson: true,
  ignoreRBAC: false,
};
const server = http.createServer(postgraphile(pool, "public", options));
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
