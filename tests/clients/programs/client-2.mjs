// The TypeScript client 2.x, of the protocol that both sides know best, or of the older ones.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

import { requestInit, story, tell } from './told.mjs'

const options = story.era === 'legacy' ? {} : { versionNegotiation: { mode: 'auto' } }

await tell(async (url) => {
  const client = new Client({ name: 'tests', version: '1' }, options)
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }))
  return client
})
