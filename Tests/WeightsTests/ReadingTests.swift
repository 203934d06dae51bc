import Errors
import Foundation
import Testing
import Weights

@Suite struct ReadingTests {
    @Test(arguments: [
        "types.pt", "types_legacy.pt", "types.safetensors", "views.pt", "views_legacy.pt",
        "wrapped.pt", "wrapped_legacy.pt", "protocol3.pt", "protocol4.pt", "protocol5.pt",
        "python2_legacy.pt", "sharded",
    ])
    func findsWhatTorchFinds(fixture: String) throws {
        let checkpoint = try Checkpoint(fixtures + fixture)
        let expected = try Expected.tensors(of: fixture)
        // Torch hands safetensors over in an order of its own.
        if fixture.hasSuffix(".safetensors") {
            #expect(checkpoint.names.sorted() == expected.map(\.name).sorted())
        } else {
            #expect(checkpoint.names == expected.map(\.name))
        }
        for expected in expected {
            let tensor = try #require(checkpoint.tensor(expected.name))
            #expect(tensor.type.rawValue == expected.type, "\(expected.name)")
            #expect(tensor.shape == expected.shape, "\(expected.name)")
            #expect(tensor.strides == expected.strides, "\(expected.name)")
            #expect(hexadecimal(tensor.copied) == expected.bytes, "\(expected.name)")
        }
        #expect(checkpoint.tensor("nothing.of.this.name") == nil)
    }

    @Test(arguments: ["types.pt", "types_legacy.pt", "types.safetensors"])
    func tellsFormatsApartByContent(fixture: String) throws {
        let named = try Checkpoint(fixtures + fixture)
        #expect(named.files == [fixtures + fixture])
        let unnamed = try checkpoint(of: bytes(of: fixtures + fixture))
        #expect(unnamed.names == named.names)
    }

    @Test func keepsTheOrderOfASafeTensorsHeader() throws {
        let checkpoint = try Checkpoint(fixtures + "types.safetensors")
        #expect(checkpoint.names.prefix(3) == ["int64", "float64", "empty"])
    }

    @Test func readsMetadata() throws {
        let one = try Checkpoint(fixtures + "types.safetensors")
        #expect(one.metadata == ["quote": "a \"b\" \\ \n ä \u{1}"])
        let sharded = try Checkpoint(fixtures + "sharded")
        #expect(sharded.metadata == ["total_size": "52", "by": "loopy"])
        #expect(try Checkpoint(fixtures + "types.pt").metadata.isEmpty)
    }

    @Test func readsHeadersThatOthersWrite() throws {
        let header = """
             {"\\u00e9\\ud83d\\ude00\\/" : {"data_offsets":[0, 4],\t"shape":[],"new":[{"x":null}],
            "dtype":"F32"}, "__metadata__":{}}  \n
            """
        // The reference writes no space before the brace and wants none.
        let checkpoint = try checkpoint(of: safeTensors(String(header.dropFirst()), elements: 4))
        #expect(checkpoint.names == ["é😀/"])
        #expect(try Weights.Checkpoint(of: "{}", elements: 0).names.isEmpty)
    }

    @Test func viewsShareTheirStorage() throws {
        let checkpoint = try Checkpoint(fixtures + "views.pt")
        let base = try #require(checkpoint.tensor("base"))
        let transposed = try #require(checkpoint.tensor("transposed"))
        let row = try #require(checkpoint.tensor("row"))
        #expect(base.isContiguous && row.isContiguous && !transposed.isContiguous)
        #expect(transposed.bytes.baseAddress == base.bytes.baseAddress)
        #expect(row.bytes.baseAddress == base.bytes.baseAddress.map { $0 + 16 })
        #expect(row.bytes.count == 16)
        let columns = try #require(checkpoint.tensor("columns"))
        // From element 1 to element 11.
        #expect(columns.bytes.count == 11 * 4)
    }

    @Test func changingATensorChangesNoFile() throws {
        try withFolder { folder in
            let path = folder + "/a.safetensors"
            try write(
                safeTensors(
                    #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#,
                    elements: 2), path)
            let before = try bytes(of: path)
            let tensor = try #require(try Checkpoint(path).tensor("a"))
            withExtendedLifetime(tensor.owner) {
                UnsafeMutableRawBufferPointer(mutating: tensor.bytes)[1] = 7
            }
            #expect(tensor.copied == [0, 7])
            #expect(try bytes(of: path) == before)
            #expect(try Checkpoint(path).tensor("a")?.copied == [0, 0])
        }
    }

    @Test func tensorsOutliveTheirCheckpoint() throws {
        var tensor: StoredTensor?
        do { tensor = try Checkpoint(fixtures + "types.pt").tensor("int16") }
        #expect(tensor?.copied == [0xfd, 0xff, 4, 0])
    }

    @Test func takesASubtreeByItsPrefix() throws {
        let whole = try Checkpoint(fixtures + "wrapped.pt")
        let network = try whole.subtree("state_dict")
        #expect(network.names.first == "0.weight")
        #expect(network.names.count == 7)
        #expect(network.files == whole.files)
        #expect(network.tensor("0.weight")?.copied == whole.tensor("state_dict.0.weight")?.copied)
        #expect(try whole.subtree("state_dict.0").names == ["weight", "bias"])
        let error = #expect(throws: LoopyError.self) { try whole.subtree("state") }
        #expect(error?.category == .missing)
        #expect(error?.message.contains("list, optimizer, state_dict") == true)
    }

    @Test func takesTheFirstNameOfAFolder() throws {
        try withFolder { folder in
            try write(bytes(of: fixtures + "types.pt"), folder + "/pytorch_model.bin")
            #expect(try Checkpoint(folder).files == [folder + "/pytorch_model.bin"])
            try write(
                bytes(of: fixtures + "types.safetensors"),
                folder + "/diffusion_pytorch_model.safetensors")
            let path = folder + "/diffusion_pytorch_model.safetensors"
            #expect(try Checkpoint(folder + "/").files == [path])
        }
    }

    @Test func listsTheFilesOfAShardedCheckpoint() throws {
        let folder = fixtures + "sharded/"
        let files = [
            "model.safetensors.index.json", "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
        ].map { folder + $0 }
        #expect(try Checkpoint(fixtures + "sharded").files.map(normal) == files.map(normal))
        #expect(try Checkpoint(files[0]).files.map(normal) == files.map(normal))
    }

    private func normal(_ path: String) -> String { (path as NSString).standardizingPath }

    @Test func readsShardsThatAreTorchFiles() throws {
        try withFolder { folder in
            try write(bytes(of: fixtures + "views.pt"), folder + "/one.bin")
            try write(bytes(of: fixtures + "types_legacy.pt"), folder + "/two.bin")
            let index = #"{"weight_map": {"row": "one.bin", "int8": "two.bin"}}"#
            try write(index.utf8, folder + "/pytorch_model.bin.index.json")
            let checkpoint = try Checkpoint(folder)
            #expect(checkpoint.names == ["row", "int8"])
            #expect(checkpoint.tensor("int8")?.copied == [0xfc, 5, 6])
        }
    }
}

extension Checkpoint {
    fileprivate init(of header: String, elements: Int) throws {
        self = try checkpoint(of: safeTensors(header, elements: elements))
    }
}
