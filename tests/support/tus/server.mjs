// The official tus server on loopback: node server.mjs PORT DIRECTORY
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'

const [port, directory] = process.argv.slice(2)

class Files extends FileStore {
  // Node 18 and 20 close the stream of a body twice where it is a file's own, and end
  // the process for it: this one is closed once.
  read(id) {
    const file = super.read(id)
    const blocks = file[Symbol.asyncIterator]()
    let over = false
    return new ReadableStream({
      async pull(controller) {
        const { value, done } = await blocks.next()
        if (over) return
        if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel() {
        over = true
        file.destroy()
      },
    })
  }
}

new Server({ path: '/files', datastore: new Files({ directory }) })
  .listen({ host: '127.0.0.1', port: Number(port) })
