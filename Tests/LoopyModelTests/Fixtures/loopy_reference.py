"""Loopy's networks in PyTorch, written from the paper apart from the Swift ones: make_fixtures.py beside
this asks it what they must answer, Benchmarks/loopy_model.py how fast they should be.

"Loopy: Taming Audio-Driven Portrait Avatar with Long-Term Motion Dependency" (Jiang et al., 2024), section
3; the U-Nets are Stable Diffusion 1.5's as diffusers has them, less the text; the temporal layers are
AnimateDiff's motion modules. Every name of a state_dict is a name in a checkpoint.

Letters: B batch, F noisy frames, M motion frames, T either's frames, C channels, N tokens (H·W),
W audio width, L layers and S channels of the speech encoder, E width of the time embedding.
"""

import dataclasses
import math

import torch
from torch import nn
from torch.nn import functional

TINY = {
    "latent_channels": 16, "channels": [32, 64, 96], "attention": [True, True, True],
    "layers_per_block": 1, "heads": 2, "norm_groups": 8, "frames": 12,
    "segments": {"stride": 4, "ratio": 2, "motion_frames": 124},
    "speech_layers": 1, "speech_channels": 320, "audio_width": 64,
    "motion_latents": {"embeddings": 16, "width": 64, "heads": 4},
}
SOURCES = ("audio", "landmarks", "head_motion", "expression")


def motion_count(config):
    """M: motion frames that the temporal segments make of the frames before a clip."""
    segments, count, end = config["segments"], 0, 0
    while True:
        end += segments["ratio"] ** (count // segments["stride"])
        if end > segments["motion_frames"]:
            return count
        count += 1


@dataclasses.dataclass
class Masks:
    """What each sample goes without: bool [B], true where it is masked."""

    audio: torch.Tensor
    motion_latents: torch.Tensor
    reference: torch.Tensor  # and its motion frames with it
    motion_frames: torch.Tensor

    @classmethod
    def none(cls, batch, device=None):
        return cls(*(torch.zeros(batch, dtype=torch.bool, device=device) for _ in range(4)))


class Attention(nn.Module):
    def __init__(self, width, heads, context_width=None):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context_width or width, width, bias=False)
        self.to_v = nn.Linear(context_width or width, width, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x, context, mask=None):
        """[…, N, C] from x [G, N, C] and context [G, K, …]."""
        return self.attend(self.to_q(x), self.to_k(context), self.to_v(context), mask)

    def attend(self, query, key, value, mask=None):
        return self.to_out[0](multi_head(query, key, value, self.heads, mask))


def multi_head(query, key, value, heads, mask=None):
    """[G, N, C] from query [G, N, C], key and value [G, K, C]; mask [G, 1, 1, K], true where a key is
    seen."""
    query, key, value = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key, value))
    attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return attended.transpose(1, 2).flatten(-2)


class GEGLU(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.proj = nn.Linear(width, 2 * inner)

    def forward(self, x):
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * functional.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        # The published networks have their dropout in between, without parameters.
        self.net = nn.ModuleList([GEGLU(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width)])

    def forward(self, x):
        return self.net[2](self.net[0](x))


class ResidualBlock(nn.Module):
    def __init__(self, inputs, outputs, config):
        super().__init__()
        self.norm1 = nn.GroupNorm(config["norm_groups"], inputs, eps=1e-5)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time_emb_proj = nn.Linear(4 * config["channels"][0], outputs)
        self.norm2 = nn.GroupNorm(config["norm_groups"], outputs, eps=1e-5)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        if inputs != outputs:
            self.conv_shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x, embedding):
        """[B·T, C, H, W]; embedding [B·T, E]."""
        residual = self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x
        x = self.conv1(functional.silu(self.norm1(x)))
        x = x + self.time_emb_proj(functional.silu(embedding))[:, :, None, None]
        return residual + self.conv2(functional.silu(self.norm2(x)))


class TransformerBlock(nn.Module):
    def __init__(self, channels, config, denoises):
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attn1 = Attention(channels, config["heads"])
        if denoises:
            self.audio_norm = nn.LayerNorm(channels)
            self.audio_attn = Attention(channels, config["heads"], config["audio_width"])
        self.norm3 = nn.LayerNorm(channels)
        self.ff = FeedForward(channels)

    def forward(self, x, reference=None, has_reference=None, audio=None):
        """x and what attn1 reads of it, both [B·F, N, C]; reference [B, N, C], has_reference bool [B],
        audio [B·F, 5, W]."""
        h = self.norm1(x)
        query, key, value = self.attn1.to_q(h), self.attn1.to_k(h), self.attn1.to_v(h)
        mask = None
        if reference is not None:
            frames = len(h) // len(reference)
            # The reference is the same for all frames: projected once.
            key = torch.cat([key, self.attn1.to_k(reference).repeat_interleave(frames, 0)], dim=1)
            value = torch.cat([value, self.attn1.to_v(reference).repeat_interleave(frames, 0)], dim=1)
            if not has_reference.all():
                tokens = h.shape[1]
                seen = has_reference.repeat_interleave(frames)[:, None].expand(-1, tokens)
                mask = torch.cat([torch.ones_like(seen), seen], dim=1)[:, None, None]
        x = x + self.attn1.attend(query, key, value, mask)
        if audio is not None:
            x = x + self.audio_attn(self.audio_norm(x), audio)
        return x + self.ff(self.norm3(x)), h


class SpatialTransformer(nn.Module):
    def __init__(self, channels, config, denoises):
        super().__init__()
        self.norm = nn.GroupNorm(config["norm_groups"], channels, eps=1e-6)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(channels, config, denoises)])
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x, *conditions):
        """[B·T, C, H, W] to the same and what self-attention read [B·T, N, C]."""
        tokens = self.proj_in(self.norm(x)).flatten(2).transpose(1, 2)
        tokens, read = self.transformer_blocks[0](tokens, *conditions)
        return x + self.proj_out(tokens.transpose(1, 2).unflatten(2, x.shape[2:])), read


class PositionEncoding(nn.Module):
    def __init__(self, length, width):
        super().__init__()
        self.pe = nn.Parameter(sinusoid(length, width)[None])


def sinusoid(length, width):
    """AnimateDiff's positions [length, width]: sine and cosine by turns."""
    angles = torch.arange(length)[:, None] * torch.exp(torch.arange(0, width, 2)
                                                       * (-math.log(10000.0) / width))
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


class TemporalAttention(Attention):
    def __init__(self, width, heads, length):
        super().__init__(width, heads)
        self.pos_encoder = PositionEncoding(length, width)


class TemporalBlock(nn.Module):
    def __init__(self, channels, config, length):
        super().__init__()
        self.attention_blocks = nn.ModuleList(
            [TemporalAttention(channels, config["heads"], length) for _ in range(2)])
        self.norms = nn.ModuleList([nn.LayerNorm(channels) for _ in range(2)])
        self.ff = FeedForward(channels)
        self.ff_norm = nn.LayerNorm(channels)

    def forward(self, y, first, mask):
        """[B·H·W, T, C], whose first frame stands at position `first`; mask [B·H·W, 1, 1, T]."""
        for norm, attention in zip(self.norms, self.attention_blocks):
            n = norm(y) + attention.pos_encoder.pe[:, first:first + y.shape[1]]
            y = y + attention(n, n, mask)
        return y + self.ff(self.ff_norm(y))


class TemporalLayer(nn.Module):
    """Attention over time at each place; `motion` frames that may stand before the noisy ones."""

    def __init__(self, channels, config, motion):
        super().__init__()
        self.motion = motion
        self.norm = nn.GroupNorm(config["norm_groups"], channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, channels)
        self.transformer_blocks = nn.ModuleList(
            [TemporalBlock(channels, config, motion + config["frames"])])
        self.proj_out = nn.Linear(channels, channels)

    def forward(self, x, motion=None, presence=None):
        """[B, F, C, H, W]; motion [B, M, C, H, W], in the order of time, and which are there, bool [B, M]."""
        frames = x if motion is None else torch.cat([motion, x], dim=1)
        batch, length, channels, height, width = frames.shape
        y = self.norm(frames.flatten(0, 1)).unflatten(0, (batch, length))
        y = self.proj_in(y.permute(0, 3, 4, 1, 2).flatten(0, 2))
        mask = None
        if motion is not None and not presence.all():
            seen = torch.cat([presence, presence.new_ones(x.shape[:2])], dim=1)
            mask = seen.repeat_interleave(height * width, 0)[:, None, None]
        y = self.transformer_blocks[0](y, self.motion + x.shape[1] - length, mask)
        y = self.proj_out(y[:, length - x.shape[1]:])
        return x + y.unflatten(0, (batch, height, width)).permute(0, 3, 4, 1, 2)


class Block(nn.Module):
    """A resolution of a U-Net on its way down or up: layers, each of them a residual block and what follows
    it, then what changes the resolution."""

    def __init__(self, inputs, outputs, config, attends, denoises, resample=None):
        super().__init__()
        self.resnets = nn.ModuleList([ResidualBlock(width, outputs, config) for width in inputs])
        if attends:
            self.attentions = nn.ModuleList(
                [SpatialTransformer(outputs, config, denoises) for _ in inputs])
        if denoises:
            add_temporal_layers(self, len(inputs), outputs, config)
        if resample:
            setattr(self, resample, nn.ModuleList([nn.ModuleDict(
                {"conv": nn.Conv2d(outputs, outputs, 3, padding=1,
                                   stride=2 if resample == "downsamplers" else 1)})]))


class MidBlock(nn.Module):
    def __init__(self, channels, config, denoises):
        super().__init__()
        self.resnets = nn.ModuleList([ResidualBlock(channels, channels, config) for _ in range(2)])
        self.attentions = nn.ModuleList([SpatialTransformer(channels, config, denoises)])
        if denoises:
            add_temporal_layers(self, 1, channels, config)


def add_temporal_layers(block, count, channels, config):
    motion = motion_count(config)
    block.inter_clip = nn.ModuleList([TemporalLayer(channels, config, motion) for _ in range(count)])
    block.intra_clip = nn.ModuleList([TemporalLayer(channels, config, 0) for _ in range(count)])


class UNet(nn.Module):
    """What the two nets have in common: the walk down and up, and the time embedding."""

    def __init__(self, config, denoises):
        super().__init__()
        channels, layers = config["channels"], config["layers_per_block"]
        levels = len(channels)
        self.conv_in = nn.Conv2d(config["latent_channels"], channels[0], 3, padding=1)
        self.time_embedding = nn.ModuleDict({
            "linear_1": nn.Linear(channels[0], 4 * channels[0]),
            "linear_2": nn.Linear(4 * channels[0], 4 * channels[0]),
        })

        skips = [channels[0]]
        self.down_blocks = nn.ModuleList()
        for level, width in enumerate(channels):
            inputs = [skips[-1]] + [width] * (layers - 1)
            resample = "downsamplers" if level + 1 < levels else None
            self.down_blocks.append(
                Block(inputs, width, config, config["attention"][level], denoises, resample))
            skips += [width] * (layers + (resample is not None))
        self.mid_block = MidBlock(channels[-1], config, denoises)
        self.up_blocks = nn.ModuleList()
        below = channels[-1]
        for level, width in reversed(list(enumerate(channels))):
            inputs = [(below if index == 0 else width) + skips.pop() for index in range(layers + 1)]
            resample = "upsamplers" if level > 0 else None
            self.up_blocks.append(
                Block(inputs, width, config, config["attention"][level], denoises, resample))
            below = width

    def embed(self, timesteps):
        """[…] to [B, E]."""
        half = self.conv_in.out_channels // 2
        frequencies = torch.exp(-math.log(10000) * torch.arange(half, device=timesteps.device) / half)
        angles = timesteps[:, None].float() * frequencies
        x = torch.cat([angles.cos(), angles.sin()], dim=-1).to(self.conv_in.weight.dtype)
        return self.time_embedding["linear_2"](
            functional.silu(self.time_embedding["linear_1"](x)))

    def walk(self, x, embedding, layer):
        """x [B·T, Cl, h, w] through all blocks; layer(block, index, x) is a layer, from its residual block
        on."""
        x = self.conv_in(x)
        skips = [x]
        for block in self.down_blocks:
            for index in range(len(block.resnets)):
                x = layer(block, index, x)
                skips.append(x)
            if hasattr(block, "downsamplers"):
                x = block.downsamplers[0]["conv"](x)
                skips.append(x)
        x = layer(self.mid_block, 0, x)
        x = self.mid_block.resnets[1](x, embedding)
        for block in self.up_blocks:
            for index in range(len(block.resnets)):
                x = layer(block, index, torch.cat([x, skips.pop()], dim=1))
            if hasattr(block, "upsamplers"):
                x = functional.interpolate(x, size=skips[-1].shape[2:], mode="nearest")
                x = block.upsamplers[0]["conv"](x)
        return x


class ReferenceNet(UNet):
    def __init__(self, config):
        super().__init__(config, denoises=False)

    def forward(self, reference, motion):
        """Of every layer, in the order of the walk: `spatial` [B, N, C], or None where nothing attends, and
        `motion` [B, M, C, H, W], or None without motion frames."""
        x = reference[:, None] if motion is None else torch.cat([reference[:, None], motion], dim=1)
        frames = x.shape[:2]
        x = x.flatten(0, 1)
        embedding = self.embed(torch.zeros(len(x), device=x.device))
        features = []

        def layer(block, index, x):
            x = block.resnets[index](x, embedding)
            spatial = None
            if hasattr(block, "attentions"):
                x, read = block.attentions[index](x)
                spatial = read.unflatten(0, frames)[:, 0]
            features.append((spatial, None if motion is None else x.unflatten(0, frames)[:, 1:]))
            return x

        self.walk(x, embedding, layer)
        return features


class DenoisingNet(UNet):
    def __init__(self, config):
        super().__init__(config, denoises=True)
        channels = config["channels"][0]
        self.conv_norm_out = nn.GroupNorm(config["norm_groups"], channels, eps=1e-5)
        self.conv_out = nn.Conv2d(channels, config["latent_channels"], 3, padding=1)

    def forward(self, latents, embedding, features, has_reference, presence, audio):
        """Noise [B, F, Cl, h, w]: embedding [B, F, E], features of the reference net, has_reference bool
        [B], presence of motion frames bool [B, M], audio tokens [B, F, 5, W]."""
        frames = latents.shape[:2]
        embedding, audio = embedding.flatten(0, 1), audio.flatten(0, 1)
        features = iter(features)

        def layer(block, index, x):
            spatial, motion = next(features)
            x = block.resnets[index](x, embedding)
            if hasattr(block, "attentions"):
                x, _ = block.attentions[index](x, spatial, has_reference, audio)
            x = x.unflatten(0, frames)
            x = block.inter_clip[index](x, motion, presence)
            x = block.intra_clip[index](x)
            return x.flatten(0, 1)

        x = self.walk(latents.flatten(0, 1), embedding, layer)
        x = self.conv_out(functional.silu(self.conv_norm_out(x)))
        return x.unflatten(0, frames)


class AudioEmbedding(nn.Module):
    def __init__(self, config):
        super().__init__()
        width = config["audio_width"]
        self.projection = nn.Linear(config["speech_layers"] * config["speech_channels"], width)
        self.norm = nn.LayerNorm(width)
        self.position = nn.Parameter(0.02 * torch.randn(5, width))

    def forward(self, speech):
        """[B, F, 5, L, S] to tokens [B, F, 5, W]."""
        return self.norm(self.projection(speech.flatten(-2))) + self.position


class AudioToLatents(nn.Module):
    def __init__(self, config):
        super().__init__()
        settings = config["motion_latents"]
        width = settings["width"]
        self.heads = settings["heads"]
        self.embeddings = nn.Parameter(torch.randn(settings["embeddings"], width))
        self.to_k = nn.Linear(width, width)
        self.to_v = nn.Linear(width, width)
        self.audio = nn.Linear(5 * config["audio_width"], width)
        self.landmarks = nn.Linear(2 * 68, width)
        self.head_motion = nn.Linear(1, width)
        self.expression = nn.Linear(1, width)
        self.projection = nn.Linear(width, 4 * config["channels"][0])

    def forward(self, tokens, landmarks, head_variance, expression_variance, source, masked):
        """Additions to the time embedding [B, F, E]: audio tokens [B, F, 5, W], landmarks [B, F, 68, 2],
        the variances [B], the index of each sample's source in SOURCES [B], which are masked, bool [B]."""
        batch, frames = tokens.shape[:2]

        def deviation(variance):
            return (100 * variance.sqrt())[:, None, None].expand(-1, frames, -1)

        queries = torch.stack([
            self.audio(tokens.flatten(-2)), self.landmarks(landmarks.flatten(-2)),
            self.head_motion(deviation(head_variance)),
            self.expression(deviation(expression_variance)),
        ])
        query = queries[source, torch.arange(batch, device=tokens.device)]
        key, value = (linear(self.embeddings).expand(batch, -1, -1) for linear in (self.to_k, self.to_v))
        latents = multi_head(query, key, value, self.heads)
        return self.projection(latents.masked_fill(masked[:, None, None], 0))


class Loopy(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.reference_net = ReferenceNet(config)
        self.denoising_net = DenoisingNet(config)
        self.audio_embedding = AudioEmbedding(config)
        self.audio_to_latents = AudioToLatents(config)
        for name, parameter in self.named_parameters():
            if begins_at_zero(name):
                nn.init.zeros_(parameter)

    def forward(self, latents, timesteps, reference, motion, motion_presence, speech, landmarks,
                head_variance, expression_variance, motion_source, masks):
        """Noise [B, F, C, h, w] predicted of latents of that shape: timesteps [B], reference [B, C, h, w],
        motion [B, M, C, h, w] and which of it is there, bool [B, M] (or None), speech [B, F, 5, L, S]; for
        the rest see AudioToLatents and Masks."""
        speech = speech.masked_fill(masks.audio[:, None, None, None, None], 0)
        tokens = self.audio_embedding(speech)
        embedding = self.denoising_net.embed(timesteps)[:, None] + self.audio_to_latents(
            tokens, landmarks, head_variance, expression_variance, motion_source, masks.motion_latents)
        presence = None
        if motion is not None:
            presence = motion_presence & ~(masks.motion_frames | masks.reference)[:, None]
        features = self.reference_net(reference, motion)
        return self.denoising_net(latents, embedding, features, ~masks.reference, presence, tokens)


def begins_at_zero(name):
    """The last projection of every path that is added to Stable Diffusion's."""
    return ("audio_attn.to_out.0." in name or "audio_to_latents.projection." in name
            or ("_clip." in name and ".proj_out." in name))


def from_animatediff(state):
    """A denoising net's parameters of intra-clip layers, of those in a file of motion modules."""
    return {name.replace(".motion_modules.", ".intra_clip.").replace(".temporal_transformer.", "."):
            values for name, values in state.items()}
