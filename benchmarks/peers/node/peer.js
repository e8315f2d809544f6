// The peer of the intake benchmark: WeCom's official npm package in a bare HTTP server.
// STORE=pg inserts the same row into the same Postgres, one INSERT a request; STORE=redis appends to a stream (AOF everysec).
'use strict';
const crypto = require('node:crypto');
const http = require('node:http');
const { decrypt, getSignature } = require('@wecom/crypto');
const { XMLParser } = require('fast-xml-parser');

const { PORT, STORE, TOKEN, AES_KEY, CORP_ID, TENANT, RECEIVER, DATABASE_URL, REDIS_URL } = process.env;
const parser = new XMLParser({ ignoreAttributes: true, parseTagValue: false });

const INSERT = `INSERT INTO callbacks_inbox (event_day, dedupe_key, tenant_id, receiver_id, key_version, name, lane, urgent,
  suspect, event_at, body) VALUES ($1, $2, $3, $4, 1, $5, $6, $7, false, to_timestamp($8), $9)
  ON CONFLICT (event_day, dedupe_key) DO NOTHING`;
const ONCE = "if redis.call('SET', KEYS[1], 1, 'NX', 'EX', 604800) then return redis.call('XADD', KEYS[2], '*', 'b', ARGV[1]) end";

function inPostgres() {
  const { Pool } = require('pg');
  const pool = new Pool({ connectionString: DATABASE_URL, max: 16 });
  return (event, key, body) => {
    const day = new Date((Number(event.CreateTime) + 8 * 3600) * 1000).toISOString().slice(0, 10);
    const lane = key[0] % 4;
    const values = [day, key, TENANT, RECEIVER, `${event.Event}.${event.ChangeType}`, lane, Boolean(event.WelcomeCode),
      Number(event.CreateTime), body];
    return pool.query({ name: 'insert', text: INSERT, values });
  };
}

function inRedis() {
  const Redis = require('ioredis');
  const redis = new Redis(REDIS_URL);
  redis.defineCommand('once', { numberOfKeys: 2, lua: ONCE });
  return (event, key, body) => redis.once(`seen:${key.toString('hex')}`, 'inbox', body);
}

const store = STORE === 'pg' ? inPostgres() : inRedis();

function answer(response, status) {
  response.writeHead(status, { 'Content-Length': 0 });
  response.end();
}

http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', async () => {
    try {
      const body = Buffer.concat(chunks);
      const query = new URL(request.url, 'http://localhost').searchParams;
      const encrypted = parser.parse(body.toString()).xml.Encrypt;
      const expected = getSignature(TOKEN, query.get('timestamp'), query.get('nonce'), encrypted);
      if (expected !== query.get('msg_signature')) return answer(response, 400);
      const { message, id } = decrypt(AES_KEY, encrypted);
      if (id !== CORP_ID) return answer(response, 400);
      const event = parser.parse(message).xml;
      await store(event, crypto.createHash('sha256').update(message).digest(), body);
      answer(response, 200);
    } catch (error) {
      console.error(error);
      answer(response, 500);
    }
  });
}).listen(Number(PORT), '127.0.0.1');
