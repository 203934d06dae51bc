import Foundation
import Storage
import TestSupport

/// The files that are damaged: a folder of whole files for each reader.
enum Corpus {
    /// Files beyond this are left out: a change in a long file rarely meets anything.
    private static let largest = 400_000

    /// Copies the tests' fixtures and makes what there are no fixtures of.
    static func prepare(_ readers: [Reader], package: String, in folder: String) throws {
        for reader in readers {
            let own = folder + "/" + reader.name
            try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
            for fixtures in reader.fixtures {
                try copyFixtures(package + "/" + fixtures, reader.suffixes, to: own)
            }
            try make(reader.name, in: own)
        }
    }

    /// The files of a reader, in a fixed order.
    static func files(
        _ reader: Reader, in folder: String
    ) throws -> [(name: String, bytes: [UInt8])] {
        let own = folder + "/" + reader.name
        return try names(in: own).map { ($0, try bytes(of: own + "/" + $0)) }
    }

    private static func copyFixtures(
        _ source: String, _ suffixes: [String], to folder: String
    ) throws {
        for path in try FileManager.default.subpathsOfDirectory(atPath: source)
        where suffixes.contains(where: path.hasSuffix) {
            let content = try bytes(of: source + "/" + path)
            guard content.count <= largest else { continue }
            let name = path.replacingOccurrences(of: "/", with: "-")
            try Data(content).write(to: URL(fileURLWithPath: folder + "/" + name))
        }
    }

    private static func make(_ reader: String, in folder: String) throws {
        switch reader {
        case "media": try makeVideos(in: folder, seconds: 0.4)
        case "tar": try makeArchives(in: folder)
        case "jsonl":
            try write(sources, to: folder + "/sources.jsonl")
            try write(decisions, to: folder + "/selection.jsonl")
        case "hdtf": try write(hdtf, to: folder + "/wda.txt")
        case "celebv-hq": try write(celebVHQ, to: folder + "/celebvhq_info.json")
        case "ravdess":
            try write(
                "01-01-06-01-02-01-12.mp4\n02-02-01-02-01-02-24.mp4\n03-01-01-01-01-01-01.wav\n",
                to: folder + "/names.txt")
        default: break
        }
    }

    /// A shard as Loopy writes it, and archives of others with names beyond 100 bytes.
    private static func makeArchives(in folder: String) throws {
        let file = try OutputFile(folder + "/shard.tar")
        let archive = TarWriter(file)
        for key in ["00", "01"] {
            try archive.add(key + ".json", Array(#"{"frames": 25}"#.utf8))
            try archive.add(
                key + ".npy", NumPyArray(shape: [2, 3], values: [1, 2, 3, 4, 5, 6]).encoded())
        }
        try archive.finish()
        _ = try file.commit()
        try withFolder { members in
            for name in ["short", String(repeating: "long", count: 30)] {
                try write(name, to: members + "/" + name)
            }
            for format in ["gnu", "pax", "ustar"] {
                let archive = folder + "/" + format + ".tar"
                _ = try TestSupport.run(
                    "tar", "--format=" + format, "-C", members, "-cf", archive, "short",
                    format == "ustar" ? "short" : String(repeating: "long", count: 30))
            }
        }
    }

    /// Small videos with sound of the containers that people have.
    static func makeVideos(in folder: String, seconds: Double, of sample: String? = nil) throws {
        let kinds = [
            ("h264.mp4", "libx264", "aac"), ("h264.mkv", "libx264", "flac"),
            ("h264.ts", "libx264", "aac"), ("mpeg4.avi", "mpeg4", "mp3"),
            ("mpeg2.mpg", "mpeg2video", "mp2"), ("vp8.webm", "libvpx", "libopus"),
            ("mjpeg.mov", "mjpeg", "pcm_s16le"), ("flv.flv", "flv", "mp3"),
        ]
        let source =
            sample.map { ["-i", $0] }
            ?? ["-f", "lavfi", "-i", "testsrc=s=64x48:r=25", "-f", "lavfi", "-i", "sine=r=22050"]
        for (name, video, audio) in kinds {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = ["ffmpeg", "-nostdin", "-v", "error", "-y"] + source
            process.arguments? += ["-t", "\(seconds)", "-vf", "scale='min(160,iw)':-2"]
            process.arguments? += ["-pix_fmt", video == "mjpeg" ? "yuvj420p" : "yuv420p"]
            process.arguments? += ["-c:v", video, "-c:a", audio, "-ac", "1", "-strict", "-2"]
            process.arguments? += ["-ar", audio == "libopus" ? "48000" : "44100"]
            process.arguments? += ["-shortest", folder + "/" + name]
            try process.run()
            process.waitUntilExit()
            if process.terminationStatus != 0 { print("not made: \(name)") }
        }
    }

    private static let sources = """
        {"bytes":1,"digest":"00","modified":1,"path":"/v/a.mp4"}
        {"bytes":1,"digest":"01","error":"is empty","modified":1,"path":"/v/b.mp4","reason":"not-media"}
        """

    private static let decisions = """
        {"decision":"reject","end":4,"limit":0.5,"path":"/v/a.mp4","rule":"sharpness","source":"00","start":0,"value":0.25}
        """

    private static let hdtf = """
        \u{feff}Ann https://www.youtube.com/watch?v=aaaaaaaaaaa&t=6s
        Bob0 https://youtu.be/bbbbbbbbbbb
        Bob1 https://www.youtube.com/watch?v=aaaaaaaaaaa
        ----
        Ann.mp4 00:05-00:15 01:00-01:10 1:20:00-1:21:30
        Bob0.mp4 00:20-00:10 00:75-01:80
        Bob1.mp4 00:05-00:15
        ----
        Ann_0.mp4 100 300 20 300
        Ann_1.mp4 110 300 0 300
        Bob1_0.mp4 0 200 0 200
        ----
        Ann.mp4 720
        Bob0.mp4 1080
        Bob1.mp4 360
        """

    private static let celebVHQ = """
        {"meta_info": {"appearance_mapping": ["blurry", "male"], "action_mapping": ["blow", "talk"]},
         "clips": {
          "aaaaaaaaaaa_0": {"ytb_id": "aaaaaaaaaaa", "duration": {"start_sec": 1.5, "end_sec": 4.0},
           "bbox": {"top": 0.1, "bottom": 0.6, "left": 0.2, "right": 0.5},
           "attributes": {"appearance": [0, 1], "action": [1, 0],
            "emotion": {"sep_flag": false, "labels": "happy"}}},
          "aaaaaaaaaaa_1": {"ytb_id": "aaaaaaaaaaa", "duration": {"start_sec": 10, "end_sec": 12},
           "bbox": {"top": 0, "bottom": 1, "left": 0, "right": 1},
           "attributes": {"emotion": {"sep_flag": true, "labels": [{"emotion": "sad"}]}}}}}
        """
}
