"""Writes what diffusers makes of small networks and of noise schedules, for the tests of `Diffusion`.

    Scripts/setup.sh bench
    .deps/bench/bin/python Tests/DiffusionTests/Fixtures/make_fixtures.py

Beside this script, committed. Weights are float16, stored so; expected values are float32, computed in
double precision from exactly those weights (but for sines and cosines of timesteps, which diffusers
makes in single precision).

    vae/, vae_old/          AutoencoderKL of Stable Diffusion 1.5's architecture but narrow, random weights:
                            config.json and the weights. `vae` is as save_pretrained writes it now.
                            `vae_old` is the same network as it was first published: torch.save's file,
                            the attention's layers named query, key, value and proj_attn, no
                            scaling_factor in the configuration.
    vae_cases.safetensors   `image` [2, 3, 40, 32], its posterior's `mean` and `logvar` [2, 4, 5, 4]
                            (a part of it at the bound of 20), `latents` [2, 4, 5, 4] and their picture
                            `decoded` [2, 3, 40, 32]: decode(latents), nothing divided by scaling_factor
    unet/                   UNet2DConditionModel, likewise
    unet_cases.safetensors  of each case `sample`, `timesteps`, `text`, `output`:
        even                [2, 4, 8, 16], a timestep for each sample
        odd                 [2, 4, 10, 14], which upsampling must reach again (10, 5, 3, 2), fractional
                            timesteps
    schedule.json           the settings of the cases of schedule.safetensors
    schedule.safetensors
        alphas_cumprod.S    [1000] of each schedule S of schedule.json, as diffusers makes it in float32
        min_snr.P.S         [1000] loss weights of prediction P, gamma 5 (Hang et al., 2023, section 3.4)
        training.S.*        `sample`, `noise`, `timesteps`; `noisy` (add_noise) and `velocity`
        ddim.CASE.*         `start`; `timesteps` [N]; `noise` [N, …] where eta is not 0; `samples` [N, …],
                            after every step, of the network below
        dpm_solver.CASE.*, unipc.CASE.*
                            the same of DPMSolverMultistepScheduler and UniPCMultistepScheduler

The network of these cases answers tanh(x / 2 + t / 1000), whatever it is taken to predict.

A step of diffusers spans 1000 // N, whatever its timesteps say: 142 at N = 7, where trailing spacing leaves
143 between some of them. `ddim.trailing_7….samples` are diffusers' own; beside them `exact` [N, …] is what
steps give that end where the next begins. In the other cases the two agree, which is checked here.

Under the attention's old names diffusers takes linear weights [C, C] alone: as 1x1 convolutions
[C, C, 1, 1] they stand in CompVis' own files (named q, k, v and proj_out), which its converter squeezes.

    … make_fixtures.py --real DIR

writes DIR/unet and DIR/vae, random weights of Stable Diffusion 1.5's full size (float32), and
DIR/unet_cases.safetensors (`sample` [1, 4, 64, 64], `timesteps`, `text` [1, 77, 768], `output`; in single
precision) and DIR/vae_cases.safetensors (as above, a picture of 256x256): for checks by hand.
"""

import argparse
import json
import math
import pathlib

import numpy
import torch
from diffusers import (AutoencoderKL, DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler,
                       UniPCMultistepScheduler, UNet2DConditionModel)
from safetensors.torch import save_file

here = pathlib.Path(__file__).parent

VAE = dict(
    down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    layers_per_block=2, latent_channels=4, scaling_factor=0.18215,
)
UNET = dict(
    down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3, layers_per_block=2,
)
SMALL_VAE = dict(**VAE, block_out_channels=(4, 8, 12, 12), norm_num_groups=2, sample_size=32)
SMALL_UNET = dict(
    **UNET, block_out_channels=(4, 8, 12, 12), norm_num_groups=2, attention_head_dim=2,
    cross_attention_dim=24, sample_size=16,
)
REAL_VAE = dict(**VAE, block_out_channels=(128, 256, 512, 512), norm_num_groups=32, sample_size=512)
REAL_UNET = dict(
    **UNET, block_out_channels=(320, 640, 1280, 1280), norm_num_groups=32, attention_head_dim=8,
    cross_attention_dim=768, sample_size=64,
)

SCHEDULES = {
    "scaled_linear": dict(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012),
    "linear": dict(beta_schedule="linear", beta_start=0.0001, beta_end=0.02),
}
for schedule in list(SCHEDULES):
    SCHEDULES[schedule + "_zero_snr"] = dict(**SCHEDULES[schedule], rescale_betas_zero_snr=True)
GAMMA = 5

# As Stable Diffusion 1.5 is published, and as "Common Diffusion Noise Schedules and Sample Steps are
# Flawed" (Lin et al., 2024) mends it.
LEADING = dict(
    schedule="scaled_linear", prediction_type="epsilon", timestep_spacing="leading",
    set_alpha_to_one=False, steps_offset=1,
)
TRAILING = dict(
    schedule="scaled_linear_zero_snr", prediction_type="v_prediction", timestep_spacing="trailing",
    set_alpha_to_one=False, steps_offset=0,
)
DDIM = {
    "leading_25": dict(**LEADING, steps=25, eta=0.0),
    "leading_7": dict(**LEADING, steps=7, eta=0.0),
    "leading_25_noisy": dict(**LEADING, steps=25, eta=0.7),
    "leading_7_noisy": dict(**LEADING, steps=7, eta=0.7),
    "leading_7_to_one": dict(LEADING, steps=7, eta=0.0, set_alpha_to_one=True),
    "trailing_25": dict(**TRAILING, steps=25, eta=0.0),
    "trailing_7": dict(**TRAILING, steps=7, eta=0.0),
    "trailing_25_noisy": dict(**TRAILING, steps=25, eta=0.7),
    "trailing_7_noisy": dict(**TRAILING, steps=7, eta=0.7),
    "trailing_25_to_one": dict(TRAILING, steps=25, eta=0.0, set_alpha_to_one=True),
}


def randomise(network, seed, half):
    """Random weights; biases and norms too, whose defaults would hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            values = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() > 1:
                values *= 1.2 / math.sqrt(parameter[0].numel())
            elif "norm" in name and name.endswith("weight"):
                values = 1 + 0.2 * values
            else:
                values *= 0.2
            parameter.copy_(values.half() if half else values)
    return network.eval()


def make_vae(settings, seed, half):
    network = randomise(AutoencoderKL(**settings), seed, half)
    with torch.no_grad():
        network.quant_conv.bias[-1] = 20  # around the bound of the logarithm of the variance
    return network


def save(network, folder, half):
    (network.half() if half else network).save_pretrained(folder)


def save_old(network, folder):
    """As the first networks were published."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {}
    for name, values in network.state_dict().items():
        if ".attentions." in name:
            for new, old in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"),
                             ("to_out.0", "proj_attn")):
                name = name.replace(f".{new}.", f".{old}.")
        state[name] = values.half()
    torch.save(state, folder / "diffusion_pytorch_model.bin")
    settings = dict(network.config)
    published = ("act_fn", "block_out_channels", "down_block_types", "in_channels", "latent_channels",
                 "layers_per_block", "norm_num_groups", "out_channels", "sample_size", "up_block_types")
    settings = {"_class_name": "AutoencoderKL", "_diffusers_version": "0.6.0",
                **{name: settings[name] for name in published}}
    (folder / "config.json").write_text(json.dumps(settings, indent=2) + "\n")
    again = AutoencoderKL.from_pretrained(folder, low_cpu_mem_usage=False, use_safetensors=False)
    again = again.state_dict()
    assert all(torch.equal(values.float(), again[name])
               for name, values in network.state_dict().items())


def save_cases(path, cases):
    for name, values in cases.items():
        print(path.name, name, list(values.shape), f"deviation {values.double().std(correction=0):.3f}")
        assert values.isfinite().all(), name
    save_file({name: (values.float() if values.dtype == torch.float64 else values).contiguous()
               for name, values in cases.items()}, path)


@torch.no_grad()
def vae_cases(network, image, latents):
    posterior = network.encode(image).latent_dist
    return {
        "image": image, "mean": posterior.mean, "logvar": posterior.logvar,
        "latents": latents, "decoded": network.decode(latents).sample,
    }


@torch.no_grad()
def unet_case(network, sample, timesteps, text):
    return {"sample": sample, "timesteps": timesteps, "text": text,
            "output": network(sample, timesteps, text).sample}


def draw(generator, *shape):
    """Rounded to float32, so that single precision starts from the same."""
    return torch.randn(shape, generator=generator).double()


def write_networks():
    generator = torch.Generator().manual_seed(1)
    vae = make_vae(SMALL_VAE, 2, half=True)
    save(vae, here / "vae", half=True)
    save_old(vae, here / "vae_old")
    image = draw(generator, 2, 3, 40, 32).tanh().float().double()
    cases = vae_cases(vae.double(), image, draw(generator, 2, 4, 5, 4))
    save_cases(here / "vae_cases.safetensors", cases)

    unet = randomise(UNet2DConditionModel(**SMALL_UNET), 3, half=True)
    save(unet, here / "unet", half=True)
    unet.double()
    text = draw(generator, 2, 5, 24)
    even = unet_case(unet, draw(generator, 2, 4, 8, 16), torch.tensor([981, 4]), text)
    odd = unet_case(unet, draw(generator, 2, 4, 10, 14), torch.tensor([500.25, 999.0]), text)
    save_cases(here / "unet_cases.safetensors", {
        f"{case}.{name}": values for case, tensors in (("even", even), ("odd", odd))
        for name, values in tensors.items()})


def min_snr(alphas_cumprod, prediction):
    """Weights of the squared error of the prediction: min(snr, gamma) over the weight that this error
    has by itself, snr for the noise and snr + 1 for the velocity."""
    alphas_cumprod = alphas_cumprod.double()
    snr = alphas_cumprod / (1 - alphas_cumprod)
    if prediction == "epsilon":
        return torch.where(snr > GAMMA, GAMMA / snr, 1.0)  # also where snr is 0
    return snr.clamp(max=GAMMA) / (snr + 1)


def ddim_step(answer, alpha, alpha_next, x, eta, noise, prediction):
    """Equation 12 of DDIM (Song et al., 2021), from one cumulative product to another."""
    if prediction == "epsilon":
        clean, epsilon = (x - (1 - alpha) ** 0.5 * answer) / alpha ** 0.5, answer
    else:
        clean = alpha ** 0.5 * x - (1 - alpha) ** 0.5 * answer
        epsilon = alpha ** 0.5 * answer + (1 - alpha) ** 0.5 * x
    sigma = eta * ((1 - alpha_next) / (1 - alpha) * (1 - alpha / alpha_next)) ** 0.5
    x = alpha_next ** 0.5 * clean + (1 - alpha_next - sigma ** 2) ** 0.5 * epsilon
    return x if noise is None else x + sigma * noise


def ddim_case(settings, start, generator):
    names = ("prediction_type", "timestep_spacing", "set_alpha_to_one", "steps_offset")
    scheduler = DDIMScheduler(**SCHEDULES[settings["schedule"]], clip_sample=False,
                              **{name: settings[name] for name in names})
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
    scheduler.final_alpha_cumprod = scheduler.final_alpha_cumprod.double()
    scheduler.set_timesteps(settings["steps"])
    timesteps, eta = scheduler.timesteps.tolist(), settings["eta"]

    x = exact = start
    samples, exact_samples, noises = [], [], []
    for index, t in enumerate(timesteps):
        noise = draw(generator, *start.shape) if eta > 0 else None
        noises.append(noise)
        x = scheduler.step(torch.tanh(x / 2 + t / 1000), t, x, eta=eta,
                           variance_noise=noise).prev_sample
        samples.append(x)
        is_last = index + 1 == len(timesteps)
        alpha_next = (scheduler.final_alpha_cumprod if is_last
                      else scheduler.alphas_cumprod[timesteps[index + 1]])
        exact = ddim_step(torch.tanh(exact / 2 + t / 1000), scheduler.alphas_cumprod[t], alpha_next,
                          exact, eta, noise, settings["prediction_type"])
        exact_samples.append(exact)

    case = {"start": start, "timesteps": scheduler.timesteps, "samples": torch.stack(samples)}
    if eta > 0:
        case["noise"] = torch.stack(noises)
    exact = torch.stack(exact_samples)
    if settings["timestep_spacing"] == "trailing" and 1000 % settings["steps"]:
        case["exact"] = exact
    else:
        assert torch.allclose(exact, case["samples"], rtol=1e-12, atol=1e-12)
    return case


def multistep_case(solver, settings, start):
    scheduler = {"dpm_solver": DPMSolverMultistepScheduler, "unipc": UniPCMultistepScheduler}[solver](
        **SCHEDULES[settings["schedule"]], timestep_spacing=settings["timestep_spacing"],
        prediction_type=settings["prediction_type"], steps_offset=settings["steps_offset"])
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
    scheduler.set_timesteps(settings["steps"])
    scheduler.sigmas = scheduler.sigmas.double()
    x, samples = start, []
    for t in scheduler.timesteps.tolist():
        x = scheduler.step(torch.tanh(x / 2 + t / 1000), t, x).prev_sample
        samples.append(x)
    return {"start": start, "timesteps": scheduler.timesteps, "samples": torch.stack(samples)}


def write_schedules():
    generator = torch.Generator().manual_seed(4)
    cases = {}
    for name, settings in SCHEDULES.items():
        scheduler = DDPMScheduler(**settings)
        cases[f"alphas_cumprod.{name}"] = scheduler.alphas_cumprod.clone()
        for prediction in ("epsilon", "v_prediction"):
            cases[f"min_snr.{prediction}.{name}"] = min_snr(scheduler.alphas_cumprod, prediction)
        scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
        sample, noise = draw(generator, 4, 2, 3), draw(generator, 4, 2, 3)
        timesteps = torch.tensor([0, 341, 998, 999])
        cases |= {
            f"training.{name}.sample": sample, f"training.{name}.noise": noise,
            f"training.{name}.timesteps": timesteps,
            f"training.{name}.noisy": scheduler.add_noise(sample, noise, timesteps),
            f"training.{name}.velocity": scheduler.get_velocity(sample, noise, timesteps),
        }
    for name, settings in DDIM.items():
        case = ddim_case(settings, draw(generator, 2, 4, 2, 3), generator)
        cases |= {f"ddim.{name}.{key}": values for key, values in case.items()}
    for solver in ("dpm_solver", "unipc"):
        for name in ("leading_25", "leading_7", "trailing_25", "trailing_5"):
            kind, steps = name.split("_")
            settings = dict(LEADING if kind == "leading" else TRAILING, steps=int(steps))
            case = multistep_case(solver, settings, draw(generator, 2, 4, 2, 3))
            cases |= {f"{solver}.{name}.{key}": values for key, values in case.items()}
    save_cases(here / "schedule.safetensors", cases)
    settings = {"timesteps": 1000, "gamma": GAMMA, "schedules": SCHEDULES, "ddim": DDIM}
    (here / "schedule.json").write_text(json.dumps(settings, indent=2) + "\n")


def write_real(folder):
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(5)
    vae = make_vae(REAL_VAE, 6, half=False)
    assert sum(parameter.numel() for parameter in vae.parameters()) == 83_653_863
    save(vae, folder / "vae", half=False)
    image = draw(generator, 1, 3, 256, 256).tanh().float().double()
    cases = vae_cases(vae.double(), image, draw(generator, 1, 4, 32, 32))
    save_cases(folder / "vae_cases.safetensors", cases)
    del vae

    unet = randomise(UNet2DConditionModel(**REAL_UNET), 7, half=False)
    assert sum(parameter.numel() for parameter in unet.parameters()) == 859_520_964
    save(unet, folder / "unet", half=False)
    case = unet_case(unet, draw(generator, 1, 4, 64, 64).float(), torch.tensor([500]),
                     draw(generator, 1, 77, 768).float())
    save_cases(folder / "unet_cases.safetensors", case)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real", type=pathlib.Path, metavar="DIR")
    options = parser.parse_args()
    torch.set_num_threads(1)  # sums in the same order on every machine
    if options.real:
        write_real(options.real)
    else:
        write_networks()
        write_schedules()


if __name__ == "__main__":
    main()
