import ArgumentParser
import Dataset
import Errors
import Foundation
import Serving
import StageCommand

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show a dataset in a browser: move limits, see and hear what they cost.",
        discussion: """
            Prints the address to open; nobody can read anything without the token in it. The dataset is only \
            read, and limits that you save become files in its folder selections. On another machine: \
            'ssh -L 8642:127.0.0.1:8642 HOST', and open the address here. Control-C ends it.
            """)

    @OptionGroup var options: SiteOptions

    @Option(help: "The port on 127.0.0.1; 0 for any that is free.")
    var port: UInt16 = 8642

    func run() async throws {
        try await interruptibly {
            let options = options
            let server = try SiteServer(port: port) { try options.site() }
            try await server.run { address in
                // Not print: whoever reads this from a pipe waits for it.
                FileHandle.standardOutput.write(Data((address + "\n").utf8))
            }
        }
    }
}
