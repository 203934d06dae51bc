#!/usr/bin/env python3
"""The videos of the last parts of the training of Models/small.

    small-videos.py CLIPS SPEECH OUTPUT

CLIPS: GRID's sentences of speaker s1 (grid_s1_*.mpg) and of others (grid_NAME.mpg), and two weekly addresses
(ob_ad.mp4, ob_week.mp4). SPEECH: what `Speaker/TrainMouthSync/speak.py SPEECH 120 77` says. OUTPUT: gets links to the
clips, and twenty videos by render-speaker: of the astronaut, and of pictures of these people. Then, where small stands
for the weights of before:

    loopy run Pipelines/small.yaml --input OUTPUT --dataset DATASET --set extract.latents.weights=small/codec \\
        --set extract.latents.fit_steps=0 --set 'run.train=[]' --set select.duplicates=keep
    loopy-train Pipelines/small-stage2.yaml --shards DATASET/shards --output RUN --set train.initial_weights.model=small \\
        --set train.steps=STEPS --set train.optimiser.learning_rate=4e-4 --set train.data.windows_per_clip=4 \\
        --set train.data.shuffle=256

STEPS: 3000; then 508, and 1800 from those weights, of shards in which the clips were mixed beforehand, as loopy-train
mixes them today; then 1068 of 6000 and, from their averages, 2900, with --processes 2 --threads 1. Before the last, the codec's
decoder was fitted on: `loopy-extract latents --prepare` with extract.latents.fit_steps=3000, and 4000 from there.
"""
import pathlib
import random
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SPEAKER = ROOT / ".deps/speaker"
HELD_OUT = "bgaa8p bgbh6p bgia2n bgit4n bras6n bwan1a lgbm3s pbav2n pbib8p".split()
OTHERS = "brbk7n lbax4n lbbc2a pwij3p sbia1a swwp2s".split()
# Where in a clip somebody's mouth is shut.
PICTURES = {"grid_brbk7n.mpg": 2.8, "grid_lbax4n.mpg": 2.8, "grid_lbbc2a.mpg": 2.8, "grid_pwij3p.mpg": 0,
            "grid_sbia1a.mpg": 0, "grid_s1": 0, "ob_ad.mp4": 5.2}
BOOKS = ([f"librivox-{number}.wav" for number in ("0870", "0890", "0920")]
         + [f"espeak-{name}.wav" for name in ("alice", "ishmael", "pride")])


def main():
    clips, speech, output = map(pathlib.Path, sys.argv[1:])
    output.mkdir(parents=True, exist_ok=True)
    sentences = sorted(path for path in clips.glob("grid_s1_*") if not any(name in path.name for name in HELD_OUT))
    others = [clips / f"grid_{name}.mpg" for name in OTHERS]
    spoken = sorted(speech.glob("*.wav"))
    books = [SPEAKER / name for name in BOOKS]
    draw = random.Random(5)

    def render(name, portrait, seed, speech):
        subprocess.run([ROOT / ".build/release/render-speaker", "--portrait", portrait, "--seed", str(seed), "--size", "320",
                        "--crf", "15", "--seconds", "75", "--output", output / f"{name}.mp4", "--speech", *speech],
                       check=True)

    for seed in range(11, 17):
        render(f"astronaut-{seed}", SPEAKER / "astronaut.png", seed,
               draw.sample(books, 3) + draw.sample(sentences + others, 6) + draw.sample(spoken, 6))
    for number, (name, second) in enumerate(PICTURES.items()):
        clip = sentences[0] if name == "grid_s1" else clips / name
        portrait = output / f"portrait-{number}.png"
        size = ["-vf", "scale=iw*2:ih*2:flags=lanczos"] if clip.suffix == ".mpg" else []
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-ss", str(second), "-i", clip, "-frames:v", "1", *size, portrait],
                       check=True)
        for turn in range(2):
            render(f"person-{number}-{turn}", portrait, 20 + 2 * number + turn,
                   draw.sample(sentences + others, 7) + draw.sample(spoken, 9) + [draw.choice(books[:3])])
        portrait.unlink()
    for clip in [*sentences, *others, clips / "ob_ad.mp4", clips / "ob_week.mp4"]:
        (output / clip.name).symlink_to(clip.resolve())


main()
