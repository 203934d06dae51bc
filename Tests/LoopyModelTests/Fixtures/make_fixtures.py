"""Writes what loopy_reference.py, beside this, answers: for the tests of `LoopyModel`.

    Scripts/setup.sh bench
    .deps/bench/bin/python Tests/LoopyModelTests/Fixtures/make_fixtures.py

Beside this script, committed. Weights are float16, stored so; the rest is float32, computed in double
precision from exactly those weights (but for sines and cosines of timesteps, as diffusers makes them).
Sizes: B = 4 samples, F = 3 frames, M = 4 motion frames, latents [4, 5, 6], of which the lower resolution
makes 3x3. All parameters are random, those that begin at zero too.

    config.json             the configuration
    model.safetensors       the parameters
    animatediff.ckpt        motion modules for it, named and shaped as in guoyww/animatediff's
                            mm_sd_v15_v2.ckpt; their positions [1, 32, C] random here, not sines
    cases.json              the cases: `motion` (false: none is given), `masks` and `motion_source` of the
                            samples (0 audio, 1 landmarks, 2 head motion, 3 expression), `presence` of
                            motion frames; `losses` of the cases that have gradients; `layers`, the
                            reference net's in their order
    cases.safetensors
        inputs.*            of all cases: latents, timesteps (whole and fractional), reference, motion,
                            speech, landmarks, head_variance, expression_variance
        noise.CASE          [B, F, 4, 5, 6]
        noise.animatediff   case `all` with the intra-clip layers of animatediff.ckpt
        spatial.NAME        features of the reference net, of every layer that has them: [B, N, C]
        motion.NAME         and of every layer: [B, M, C, H, W]
        tokens              audio tokens [B, F, 5, W], nothing masked
        embedding           the denoising net's, audio_to_latents included, in case `all`: [B, F, E]
        target              what the loss compares with: mean((noise - target)²)
        gradient_norms.CASE of every parameter, in the order of the sorted names. Zero are those of
                            audio_to_latents.to_k.bias, since softmax does not see it, and of the
                            query of expression in `mixed`, where only a masked sample takes it
        gradient.CASE.NAME  of some parameters, whole
        animatediff.frames, animatediff.output
                            [2, F, 8, 5, 6] through down_blocks.0's module of animatediff.ckpt
        sinusoid            [32, 8]: what positions over time begin as

Before it writes, it checks the reference itself: with the added paths' last projections at zero and the
references dropped the denoising net is diffusers' UNet2DConditionModel, with its text attention at zero; a
motion module is diffusers' AnimateDiffTransformer3D, normed frame by frame as AnimateDiff's own is; what is
masked does not change the answer.
"""

import copy
import json
import math
import pathlib

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D
from safetensors.torch import save_file

from loopy_reference import Loopy, Masks, begins_at_zero, from_animatediff, sinusoid

here = pathlib.Path(__file__).parent

CONFIG = {
    "latent_channels": 4, "channels": [8, 12], "attention": [True, False],
    "layers_per_block": 1, "heads": 2, "norm_groups": 4, "frames": 3,
    "segments": {"stride": 2, "ratio": 2, "motion_frames": 6},
    "speech_layers": 2, "speech_channels": 6, "audio_width": 12,
    "motion_latents": {"embeddings": 5, "width": 16, "heads": 2},
}
BATCH, FRAMES, MOTION, HEIGHT, WIDTH = 4, 3, 4, 5, 6
LAYERS = ["down_blocks.0.0", "down_blocks.1.0", "mid_block.0",
          "up_blocks.0.0", "up_blocks.0.1", "up_blocks.1.0", "up_blocks.1.1"]

EVERY = [True] * BATCH
PRESENT = [[True] * MOTION] * BATCH
PARTLY = [[True, True, True, True], [True, True, False, False], [True, False, True, False], [False] * 4]
CASES = {
    "all": {},
    "audio_masked": {"masks": {"audio": EVERY}},
    "motion_latents_masked": {"masks": {"motion_latents": EVERY}},
    "reference_masked": {"masks": {"reference": EVERY}},
    "motion_frames_masked": {"masks": {"motion_frames": EVERY}},
    "base": {"masks": {"audio": EVERY, "reference": EVERY}},
    "mixed": {"presence": PARTLY, "motion_source": [2, 0, 1, 3], "masks": {
        "audio": [False, True, False, False], "motion_latents": [False, False, False, True],
        "reference": [False, False, True, False], "motion_frames": [False, True, False, False]}},
    "no_motion": {"motion": False},
    "partly_present": {"presence": PARTLY},
    "audio": {"motion_source": [0] * BATCH},
    "landmarks": {"motion_source": [1] * BATCH},
    "head_motion": {"motion_source": [2] * BATCH},
    "expression": {"motion_source": [3] * BATCH},
}
WITH_GRADIENTS = ("all", "mixed")
WHOLE_GRADIENTS = (
    "audio_embedding.projection.weight",
    "audio_embedding.position",
    "audio_to_latents.embeddings",
    "audio_to_latents.head_motion.weight",
    "audio_to_latents.landmarks.bias",
    "denoising_net.conv_in.weight",
    "denoising_net.time_embedding.linear_1.bias",
    "denoising_net.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_k.weight",
    "denoising_net.down_blocks.0.attentions.0.transformer_blocks.0.audio_attn.to_q.weight",
    "denoising_net.down_blocks.1.resnets.0.conv_shortcut.weight",
    "denoising_net.mid_block.inter_clip.0.transformer_blocks.0.attention_blocks.1.pos_encoder.pe",
    "denoising_net.up_blocks.0.upsamplers.0.conv.bias",
    "denoising_net.up_blocks.1.intra_clip.1.norm.weight",
    "denoising_net.up_blocks.1.intra_clip.1.transformer_blocks.0.ff.net.0.proj.bias",
    "reference_net.conv_in.weight",
    "reference_net.time_embedding.linear_2.bias",
    "reference_net.mid_block.attentions.0.transformer_blocks.0.attn1.to_v.weight",
    "reference_net.up_blocks.1.attentions.1.transformer_blocks.0.norm1.weight",
)


def randomise(network, seed):
    """Random float16 weights; biases and norms too, whose defaults would hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(network.named_parameters()):
            values = torch.randn(parameter.shape, generator=generator)
            if name.endswith(("pos_encoder.pe", "position")):
                values *= 0.5
            elif parameter.dim() > 1 and not name.endswith("embeddings"):
                values *= 1.2 / math.sqrt(parameter[0].numel())
            elif "norm" in name and name.endswith("weight"):
                values = 1 + 0.2 * values
            elif not name.endswith("embeddings"):
                values *= 0.2
            parameter.copy_(values.half())
    return network.double()


def draw(generator, *shape):
    """Rounded to float32, so that single precision starts from the same."""
    return torch.randn(shape, generator=generator).double()


def make_inputs():
    generator = torch.Generator().manual_seed(2)
    landmarks = 0.5 + 0.15 * draw(generator, BATCH, FRAMES, 68, 2)
    speech_shape = BATCH, FRAMES, 5, CONFIG["speech_layers"], CONFIG["speech_channels"]
    inputs = {
        "latents": draw(generator, BATCH, FRAMES, 4, HEIGHT, WIDTH),
        "timesteps": torch.tensor([981.0, 0.0, 41.0, 500.25]),
        "reference": draw(generator, BATCH, 4, HEIGHT, WIDTH),
        "motion": draw(generator, BATCH, MOTION, 4, HEIGHT, WIDTH),
        "speech": draw(generator, *speech_shape),
        "landmarks": landmarks,
        "head_variance": torch.tensor([4e-5, 0.0, 1e-4, 9e-4]),
        "expression_variance": torch.tensor([2e-6, 0.0, 1e-5, 4e-5]),
    }
    return {name: values.float().double() for name, values in inputs.items()}


def complete(case):
    masks = {name: [False] * BATCH
             for name in ("audio", "motion_latents", "reference", "motion_frames")}
    return {"motion": True, "presence": PRESENT, "motion_source": [0, 1, 2, 3], **case,
            "masks": masks | case.get("masks", {})}


def answer(network, inputs, case):
    case = complete(case)
    masks = Masks(**{name: torch.tensor(values) for name, values in case["masks"].items()})
    motion = inputs["motion"] if case["motion"] else None
    presence = torch.tensor(case["presence"]) if case["motion"] else None
    return network(
        inputs["latents"], inputs["timesteps"], inputs["reference"], motion, presence,
        inputs["speech"], inputs["landmarks"], inputs["head_variance"], inputs["expression_variance"],
        torch.tensor(case["motion_source"]), masks)


def gradients(network, inputs, case, target):
    """The loss, and the gradient of every parameter by its name; zero where nothing came."""
    network.zero_grad()
    loss = (answer(network, inputs, case) - target).square().mean()
    loss.backward()
    return loss.item(), {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for name, parameter in network.named_parameters()}


def make_motion_modules(network, seed):
    """A state_dict of AnimateDiff's for the network's denoising net, float16."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, parameter in network.denoising_net.named_parameters():
        if ".intra_clip." in name:
            shape = list(parameter.shape)
            if name.endswith(".pe"):
                shape[1] = 32
            scale = 0.3 if parameter.dim() == 1 else 0.5 if name.endswith(".pe") else shape[-1] ** -0.5
            values = scale * torch.randn(shape, generator=generator)
            block, layer = name.split(".intra_clip.")
            index, rest = layer.split(".", 1)
            name = f"{block}.motion_modules.{index}.temporal_transformer.{rest}"
            state[name] = (values + ("norm" in name and name.endswith("weight"))).half()
    return state


def with_motion_modules(network, state):
    network = copy.deepcopy(network)
    parameters = dict(network.denoising_net.named_parameters())
    intra = [name for name in parameters if ".intra_clip." in name]
    found = from_animatediff(state)
    assert sorted(found) == sorted(intra)
    with torch.no_grad():
        for name in intra:
            values = found[name]
            parameters[name].copy_(values[:, :FRAMES] if name.endswith(".pe") else values)
    return network


def check_against_unet(network, inputs):
    """That without what Loopy adds it is Stable Diffusion's U-Net."""
    network = copy.deepcopy(network)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if begins_at_zero(name):
                parameter.zero_()
    plain = UNet2DConditionModel(
        block_out_channels=CONFIG["channels"], norm_num_groups=CONFIG["norm_groups"],
        layers_per_block=CONFIG["layers_per_block"], attention_head_dim=CONFIG["heads"],
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), cross_attention_dim=8).double()
    state = network.denoising_net.state_dict()
    added = ("_clip.", "audio_attn.", "audio_norm.")
    shared = {name: values for name, values in state.items() if not any(part in name for part in added)}
    missing, unexpected = plain.load_state_dict(shared, strict=False)
    assert not unexpected and all(".attn2." in name or ".norm2." in name for name in missing)
    with torch.no_grad():
        for name, parameter in plain.named_parameters():
            if ".attn2.to_out." in name:
                parameter.zero_()
        expected = plain(
            inputs["latents"].flatten(0, 1), inputs["timesteps"].repeat_interleave(FRAMES),
            torch.zeros(BATCH * FRAMES, 1, 8, dtype=torch.float64)).sample
        found = answer(network, inputs, CASES["reference_masked"])
    assert torch.allclose(found.flatten(0, 1), expected, rtol=1e-9, atol=1e-9)


def check_against_animatediff(state, frames, output):
    """That a motion module is diffusers', but for the names and two differences: there groups are normed
    over all frames together, where AnimateDiff norms frame by frame, and both attentions share positions."""
    channels = frames.shape[2]
    module = AnimateDiffTransformer3D(
        CONFIG["heads"], channels // CONFIG["heads"], channels, norm_num_groups=CONFIG["norm_groups"],
        activation_fn="geglu", attention_bias=False, positional_embeddings="sinusoidal",
        num_positional_embeddings=32).double()
    prefix = "down_blocks.0.motion_modules.0.temporal_transformer."
    renamed = {}
    for name, values in state.items():
        if name.startswith(prefix):
            name = name.removeprefix(prefix)
            for old, new in (("attention_blocks.0", "attn1"), ("attention_blocks.1", "attn2"),
                             ("ff_norm", "norm3"), ("norms.0", "norm1"), ("norms.1", "norm2"),
                             ("attn1.pos_encoder", "pos_embed")):
                name = name.replace(old, new)
            renamed[name] = values
    second = renamed.pop("transformer_blocks.0.attn2.pos_encoder.pe")
    module.load_state_dict(renamed)
    block = module.transformer_blocks[0]
    block.attn2.register_forward_pre_hook(
        lambda _, inputs: (inputs[0] + (second - block.pos_embed.pe)[:, :FRAMES],))
    norm = module.norm.forward
    module.norm.forward = lambda x: (
        norm(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (-1, FRAMES)).transpose(1, 2))
    found = module(frames.flatten(0, 1), num_frames=FRAMES)
    assert torch.allclose(output.flatten(0, 1), found, rtol=1e-9, atol=1e-9)


def check_masks(network, inputs, noise):
    def close(first, second):
        return torch.allclose(first, second, rtol=1e-9, atol=1e-9)

    assert close(noise["no_motion"], noise["motion_frames_masked"])
    other = dict(inputs, motion=inputs["motion"] * ~torch.tensor(PARTLY)[:, :, None, None, None])
    assert not close(answer(network, other, CASES["all"]), noise["all"])
    other["motion"] = inputs["motion"] * torch.tensor(PARTLY)[:, :, None, None, None]
    assert close(answer(network, other, CASES["partly_present"]), noise["partly_present"])
    other = dict(inputs, speech=inputs["speech"] + 1)
    assert close(answer(network, other, CASES["audio_masked"]), noise["audio_masked"])
    other = dict(inputs, reference=inputs["reference"] + 1, motion=inputs["motion"] + 1)
    assert close(answer(network, other, CASES["reference_masked"]), noise["reference_masked"])
    other = dict(inputs, landmarks=inputs["landmarks"] + 1)
    case = {"masks": {"motion_latents": EVERY}, "motion_source": [1] * BATCH}
    assert close(answer(network, other, case), noise["motion_latents_masked"])
    for name, values in noise.items():
        difference = (values - noise["all"]).flatten(1).norm(dim=1) / noise["all"].flatten(1).norm(dim=1)
        print(f"{name:24} deviation {values.std():.3f}, differs from all by",
              " ".join(f"{one:.4f}" for one in difference))


def features(network, inputs):
    tensors = {}
    for name, (spatial, motion) in zip(
            LAYERS, network.reference_net(inputs["reference"], inputs["motion"]), strict=True):
        tensors[f"motion.{name}"] = motion
        if spatial is not None:
            tensors[f"spatial.{name}"] = spatial
    tokens = network.audio_embedding(inputs["speech"])
    tensors["tokens"] = tokens
    tensors["embedding"] = network.denoising_net.embed(inputs["timesteps"])[:, None] + (
        network.audio_to_latents(
            tokens, inputs["landmarks"], inputs["head_variance"], inputs["expression_variance"],
            torch.arange(BATCH), torch.zeros(BATCH, dtype=torch.bool)))
    return tensors


def main():
    torch.set_num_threads(1)  # sums in the same order on every machine
    network = randomise(Loopy(CONFIG), 1)
    inputs = make_inputs()
    generator = torch.Generator().manual_seed(3)
    target = draw(generator, *inputs["latents"].shape)
    tensors = {f"inputs.{name}": values for name, values in inputs.items()} | {"target": target}

    with torch.no_grad():
        noise = {name: answer(network, inputs, case) for name, case in CASES.items()}
        check_against_unet(network, inputs)
        check_masks(network, inputs, noise)
        tensors |= features(network, inputs)

        modules = make_motion_modules(network, 4)
        exchanged = with_motion_modules(network, modules)
        noise["animatediff"] = answer(exchanged, inputs, CASES["all"])
        frames = draw(generator, 2, FRAMES, CONFIG["channels"][0], HEIGHT, WIDTH)
        output = exchanged.denoising_net.down_blocks[0].intra_clip[0](frames)
        check_against_animatediff(modules, frames, output)
        tensors |= {"animatediff.frames": frames, "animatediff.output": output,
                    "sinusoid": sinusoid(32, CONFIG["channels"][0])}
    tensors |= {f"noise.{name}": values for name, values in noise.items()}

    losses = {}
    for case in WITH_GRADIENTS:
        losses[case], found = gradients(network, inputs, CASES[case], target)
        norms = torch.stack([found[name].norm() for name in sorted(found)])
        norms[norms < 1e-15] = 0  # rounding
        tensors[f"gradient_norms.{case}"] = norms
        tensors |= {f"gradient.{case}.{name}": found[name] for name in WHOLE_GRADIENTS}
        without = [name for name, norm in zip(sorted(found), norms) if norm == 0]
        print(f"{case}: loss {losses[case]:.6f}, gradients of {len(found)} parameters, least "
              f"{norms[norms > 0].min():.1e}, median {norms.median():.1e}, none of", *without)

    state = {name: values.half() for name, values in network.state_dict().items()}
    save_file(state, here / "model.safetensors")
    save_file({name: values.float().contiguous() for name, values in tensors.items()},
              here / "cases.safetensors")
    torch.save(modules, here / "animatediff.ckpt")
    (here / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    cases = {name: complete(case) for name, case in CASES.items()}
    (here / "cases.json").write_text(
        json.dumps({"layers": LAYERS, "losses": losses, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
