// Each request of the suite carries the token: it has no option for one.
import http from 'node:http'
import { createRequire } from 'node:module'

const authorization = `Bearer ${process.env.MCP_TOKEN}`
const { getGlobalDispatcher, setGlobalDispatcher } = createRequire(process.argv[1])('undici')
setGlobalDispatcher(
  getGlobalDispatcher().compose((dispatch) => (options, handler) =>
    dispatch({ ...options, headers: { authorization, ...options.headers } }, handler),
  ),
)
const fetched = globalThis.fetch
globalThis.fetch = (resource, options = {}) => {
  const headers = new Headers(options.headers ?? (resource instanceof Request ? resource.headers : undefined))
  if (!headers.has('authorization')) headers.set('authorization', authorization)
  return fetched(resource, { ...options, headers })
}
const requested = http.request
http.request = (...given) => {
  const request = requested(...given)
  if (!request.hasHeader('authorization')) request.setHeader('authorization', authorization)
  return request
}
