// What the clients of Node have in common: a story that is read, a report that is printed.
import { readFileSync } from 'node:fs'

export const story = JSON.parse(readFileSync(process.env.STORY))
export const requestInit = { headers: { authorization: `Bearer ${story.token}` } }

export async function tell(connect) {
  const report = { calls: [], resources: {}, prompts: {} }
  const client = await connect(story.url)
  report.tools = (await client.listTools()).tools.map((tool) => tool.name)
  let confirmation
  for (const [name, args] of story.calls) {
    const given = 'confirmation' in args ? { ...args, confirmation } : args
    const result = await client.callTool({ name, arguments: given })
    confirmation = result.structuredContent?.confirmation
    report.calls.push([name, result.isError ?? false, result.content[0].text, result.structuredContent])
  }
  for (const uri of story.resources) report.resources[uri] = (await client.readResource({ uri })).contents[0].text
  for (const [name, args] of story.prompts) {
    report.prompts[name] = (await client.getPrompt({ name, arguments: args })).messages[0].content.text
  }
  await client.close()
  try {
    await (await connect(story.other_url)).listTools()
  } catch (error) {
    report.refused = error.constructor.name
  }
  console.log(JSON.stringify(report))
  process.exit(0)
}
