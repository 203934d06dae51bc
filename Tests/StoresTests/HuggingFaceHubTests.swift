import Foundation
import Stores
import TestSupport
import Testing

@Suite struct HuggingFaceHubTests {
    @Test func pagesOfRepositoriesNameFiles() {
        func file(_ page: String) -> [String]? {
            HuggingFaceHub.file("net.onnx", at: page).map { [$0.repository, $0.revision, $0.path] }
        }
        #expect(file("https://huggingface.co/a/b") == ["a/b", "main", "net.onnx"])
        #expect(file("https://huggingface.co/a/b/") == ["a/b", "main", "net.onnx"])
        #expect(file("https://huggingface.co/a/b/tree/v1/c/d") == ["a/b", "v1", "c/d/net.onnx"])
        for other in [
            "https://huggingface.co/a", "https://huggingface.co/a/b/blob/main/net.onnx",
            "https://example.org/a/b",
        ] { #expect(file(other) == nil, "\(other)") }
    }

    @Test func theEnvironmentSaysWhereTheHubIs() throws {
        let file = try #require(HuggingFaceHub.file("x", at: "https://huggingface.co/a/b"))
        try withFolder { folder in
            try write("kept\n", to: folder + "/token")
            let plain = HuggingFaceHub(environment: ["HF_HOME": folder])
            #expect(plain.address(of: file) == "https://huggingface.co/a/b/resolve/main/x")
            #expect(plain.token == "kept" && !plain.isOffline)
            let mirror = HuggingFaceHub(environment: [
                "HF_HOME": folder, "HF_ENDPOINT": "https://mirror/", "HF_TOKEN": "mine",
                "HF_HUB_OFFLINE": "1",
            ])
            #expect(mirror.address(of: file) == "https://mirror/a/b/resolve/main/x")
            #expect(mirror.token == "mine" && mirror.isOffline)
            #expect(mirror.cached(file) == nil)
        }
    }
}
