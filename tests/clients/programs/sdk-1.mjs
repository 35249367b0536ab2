// The TypeScript SDK 1.x.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

import { requestInit, tell } from './told.mjs'

await tell(async (url) => {
  const client = new Client({ name: 'tests', version: '1' })
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }))
  return client
})
