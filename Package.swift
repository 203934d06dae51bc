// swift-tools-version: 6.2
import PackageDescription

// Scripts/setup.sh fills .deps; FFmpeg and libsndfile come from Debian's -dev packages. LIBTORCH names
// another libtorch than the set-up's: the `torch` folder of a Python package, of a CUDA build for
// example.
let openvino = Context.packageDirectory + "/.deps/openvino"
let libtorch = Context.environment["LIBTORCH"] ?? Context.packageDirectory + "/.deps/libtorch"

let cHeaders: [SwiftSetting] = [
    .unsafeFlags(["-Xcc", "-isystem", "-Xcc", openvino + "/include"])
]
/// What programs are linked with, and tests: a library leaves the allocator to its program.
let cLibraries: [LinkerSetting] = [
    .unsafeFlags(
        [openvino, libtorch].flatMap { root in
            ["-L", root + "/lib", "-Xlinker", "-rpath", "-Xlinker", root + "/lib"]
        }),
    // Instead of glibc's malloc: networks ask for large blocks all the time, and glibc gives them back
    // to the kernel and takes long to find them. Training gains a tenth.
    .linkedLibrary("tcmalloc_minimal"),
]

func module(
    _ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, resources: resources, swiftSettings: cHeaders)
}

/// Media and Dataset are named for every executable, whether it imports them or not: SwiftPM builds a
/// target anew only when a target that it names has changed, and layouts reach further than that.
func executable(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .executableTarget(
        name: name, dependencies: ["StageCommand", "Media"] + dataset + dependencies,
        swiftSettings: cHeaders, linkerSettings: cLibraries)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []
) -> Target {
    .testTarget(
        name: name, dependencies: ["TestSupport"] + dataset + dependencies, exclude: exclude,
        swiftSettings: cHeaders, linkerSettings: cLibraries)
}

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")

/// What end-to-end tests run.
let executables = [
    "loopy", "loopy-ingest", "loopy-measure", "loopy-select", "loopy-crop", "loopy-extract",
    "loopy-pack", "loopy-train", "loopy-generate", "loopy-evaluate",
]

/// A dataset, and the files and settings below it.
let dataset: [Target.Dependency] = ["Dataset", "Stores", "Storage", "Settings", "Errors"]

let package = Package(
    name: "loopy",
    // Exact versions, so that everybody builds with the same packages.
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
        .package(url: "https://github.com/swhitty/FlyingFox", exact: "0.27.1"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", exact: "1.0.2"),
    ],
    targets: [
        .systemLibrary(name: "CFFmpeg", pkgConfig: "libavfilter"),
        .systemLibrary(name: "CSndfile", pkgConfig: "sndfile"),
        .systemLibrary(name: "COpenVINO"),
        .target(
            name: "CTorch",
            cxxSettings: [
                .headerSearchPath("gloo-declarations"),
                .unsafeFlags([
                    "-isystem", libtorch + "/include",
                    "-isystem", libtorch + "/include/torch/csrc/api/include",
                ]),
            ],
            linkerSettings: [
                .linkedLibrary("torch"), .linkedLibrary("torch_cpu"), .linkedLibrary("c10"),
            ]),

        module("Errors"),
        module("Weights", ["Errors"]),
        module("Torch", ["CTorch", "Weights", "Errors"]),
        module("Media", ["CFFmpeg", "CSndfile", "Settings", "Errors"]),
        module("Storage", ["Errors", crypto]),
        module("Stores", ["Storage", "Errors"], resources: [.copy("store.py")]),
        module("Settings", ["Storage", "Errors", "Yams"]),
        module("Speech", ["Torch", "Weights", "Errors"]),
        module("Diffusion", ["Torch", "Weights", "Settings", "Errors"]),
        module("LoopyModel", ["Diffusion", "Torch", "Weights", "Settings", "Errors"]),
        module("Dataset", ["Media", "Stores", "Storage", "Errors"]),
        module(
            "Perception",
            ["Media", "Speech", "Storage", "Settings", "Torch", "Weights", "COpenVINO", "Errors"],
            resources: [.copy("Networks")]),
        module("Curation", ["Media", "Perception", "Torch"] + dataset),
        module(
            "Features",
            ["Media", "Perception", "Speech", "Diffusion", "Torch", "Weights"] + dataset),
        module("Evaluation", ["Curation", "Media", "Perception", "Torch"] + dataset),
        module(
            "Runs", ["Features", "LoopyModel", "Diffusion", "Torch", "Weights"] + dataset),
        module(
            "Training",
            [
                "Runs", "Features", "LoopyModel", "Diffusion", "Perception", "Speech", "Media",
                "Torch", "Weights",
            ] + dataset),
        module(
            "Generation",
            [
                "Runs", "LoopyModel", "Diffusion", "Features", "Speech", "Curation", "Media",
                "Torch", "Weights",
            ] + dataset),
        module(
            "Report", ["Curation", "Media", "Perception"] + dataset,
            resources: [
                "base.js", "limits.js", "list.js", "main.js", "page.html", "player.js", "runs.js",
                "style.css", "table.js",
            ].map { .embedInCode("web/" + $0) }),
        module("Serving", ["Report", "FlyingFox"] + dataset),
        module("Publishing", ["Curation", "Features", "Media"] + dataset),
        module("Work", dataset + [subprocess]),

        module(
            "SettingsList",
            [
                "Curation", "Features", "Evaluation", "Generation", "LoopyModel", "Runs", "Work",
                "Settings", "Errors",
            ]),
        module("StageCommand", ["Media", "Torch"] + dataset + [arguments]),
        executable(
            "loopy",
            [
                "SettingsList", "Work", "Report", "Serving", "Publishing", "Curation", "Features",
                "LoopyModel",
                "Weights",
            ]),
        executable("loopy-ingest", ["Curation"]),
        executable("loopy-measure", ["Curation", "Torch"]),
        executable("loopy-select", ["Curation"]),
        executable("loopy-crop", ["Curation"]),
        executable("loopy-extract", ["Features"]),
        executable("loopy-pack", ["Features"]),
        executable("loopy-train", ["Training", "Runs", "LoopyModel", "Work", "Torch"]),
        executable("loopy-generate", ["Generation", "Runs", "LoopyModel", "Torch"]),
        executable("loopy-evaluate", ["Evaluation", "Torch"]),

        .executableTarget(
            name: "bench-loopy",
            dependencies: [
                "Training", "Generation", "Curation", "Runs", "LoopyModel", "Diffusion", "Speech",
                "Torch", "TestSupport", arguments,
            ],
            path: "Benchmarks/Loopy", swiftSettings: cHeaders, linkerSettings: cLibraries),

        .executableTarget(
            name: "fuzz-loopy",
            dependencies: ["Curation", "Media", "Weights", "TestSupport", arguments] + dataset,
            path: "Fuzzing", swiftSettings: cHeaders, linkerSettings: cLibraries),

        .target(
            name: "SyntheticSpeaker",
            dependencies: ["Perception", "Speech", "Runs", "Media", "Torch"] + dataset,
            path: "Speaker/SyntheticSpeaker", swiftSettings: cHeaders),
        .executableTarget(
            name: "render-speaker",
            dependencies: ["SyntheticSpeaker", "StageCommand", "Media"] + dataset,
            path: "Speaker/RenderSpeaker", swiftSettings: cHeaders, linkerSettings: cLibraries),
        .target(
            name: "MouthSyncTraining",
            dependencies: ["Perception", "Speech", "Runs", "Media", "Torch", "Weights"] + dataset,
            path: "Speaker/MouthSyncTraining", swiftSettings: cHeaders),
        .executableTarget(
            name: "train-mouth-sync",
            dependencies: ["MouthSyncTraining", "Perception", "StageCommand", "Media"] + dataset,
            path: "Speaker/TrainMouthSync", exclude: ["speak.py", "linear.py", "clips.tsv"],
            swiftSettings: cHeaders, linkerSettings: cLibraries),

        .target(
            name: "TorchConfiguration", dependencies: ["CTorch"], path: "Tests/TorchConfiguration"),
        .target(
            name: "TestSupport",
            dependencies: ["TorchConfiguration", "Torch", "Curation"] + dataset,
            path: "Tests/TestSupport", swiftSettings: cHeaders),
        tests("StorageTests", exclude: ["Fixtures"]),
        tests("StoresTests"),
        tests("SettingsTests", ["loopy"]),
        tests("TorchTests", ["Torch", "Weights"], exclude: ["Fixtures"]),
        tests(
            "SpeechTests", ["Speech", "Torch"], exclude: ["Fixtures"]),
        tests(
            "DiffusionTests", ["Diffusion", "Torch", "Weights"], exclude: ["Fixtures"]),
        tests(
            "LoopyModelTests", ["LoopyModel", "Runs", "Diffusion", "Torch", "Weights"],
            exclude: ["Fixtures"]),
        tests(
            "RunsTests", ["Runs", "LoopyModel", "Diffusion", "Torch", "Weights"],
            exclude: ["Fixtures"]),
        tests("MediaTests", ["Media"]),
        tests("DatasetTests", ["Media"]),
        tests(
            "PerceptionTests", ["Perception", "Media", "Torch"], exclude: ["Fixtures"]),
        tests(
            "CurationTests", ["Curation", "Perception", "Speech", "Media", "Torch", "Weights"]),
        tests("FeaturesTests", ["Features", "Perception", "Media"]),
        tests(
            "TrainingTests",
            [
                "Training", "Runs", "LoopyModel", "Diffusion", "Features", "Speech", "Media",
                "Torch", "Weights",
            ]),
        tests(
            "GenerationTests",
            [
                "Generation", "Training", "Runs", "LoopyModel", "Diffusion", "Features", "Curation",
                "Speech", "Media", "Torch", "Weights",
            ]),
        tests(
            "EvaluationTests",
            [
                "Evaluation", "Features", "Curation", "Perception", "Media", "Torch",
                "Weights",
            ], exclude: ["Fixtures"]),
        tests("WeightsTests", ["Weights"], exclude: ["Fixtures"]),
        tests(
            "MouthSyncTrainingTests",
            [
                "MouthSyncTraining", "SyntheticSpeaker", "Curation", "Perception", "Runs", "Media",
                "Torch",
            ]),
        tests(
            "SyntheticSpeakerTests",
            ["SyntheticSpeaker", "Curation", "Perception", "Speech", "Media", "Torch"]),
        tests("WorkTests", ["Work"]),
        tests("StageCommandTests", ["StageCommand"]),
        tests("ReportTests", ["Report", "Media"]),
        tests(
            "EndToEndTests",
            ["Media", "Diffusion", "Torch", "Weights"]
                + executables.map { Target.Dependency(stringLiteral: $0) },
            exclude: ["browser.py", "export.py"]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx20
)
