#!/usr/bin/env python3
"""Speech with known phones, by flite and espeak-ng: NNNNN.wav, and NNNNN.phones with a line
"start end phone" (seconds; IPA, or ARPABET in capitals) for each phone.

    speak.py FOLDER COUNT [SEED]

Debian: flite, libespeak-ng1. A third is spoken by flite's four voices, cut from recordings of people; the rest by
espeak-ng's formants, in 45 languages with two dozen voices. Words are of "Sense and Sensibility" and
"Pride and Prejudice" (public domain), or made up of syllables, so that each language says whatever it is given.
"""
import ctypes
import os
import random
import subprocess
import sys
import wave

WORDS = """
the family of dashwood had long been settled in sussex their estate was large and residence at norland park centre
property where for many generations they lived so respectable a manner as to engage general good opinion surrounding
acquaintance late owner this single man who very advanced age years life constant companion housekeeper sister but her
death happened ten before his own produced great alteration home supply loss he invited received into house nephew mr
henry legal inheritor person whom intended bequeath it is truth universally acknowledged that possession fortune must
be want wife however little known feelings or views such may on first entering neighbourhood well fixed minds families
considered rightful some one other their daughters my dear said lady him day have you heard netherfield let at last
replied not returned she mrs just here told me all about made no answer do know has taken cried impatiently tell i
objection hearing why what name bingley married oh sure thousand year fine thing our girls how can affect them tiresome
thinking marrying design settling nonsense talk likely fall love therefore visit soon comes we five beautiful blue
green white with without by from up down people always never voice water mother father show measure pleasure judge
church three seven eight both breath smooth shoe wish watch large young use view music few boy noise choose south
""".split()
LANGUAGES = (
    "en-us en-gb en-029 en-gb-scotland de fr es it pl ru cs pt-br nl sv da fi hu tr el ro hr bg uk hi bn ta te fa ar id "
    "vi sw ka hy lt lv et ko ja cmn af sq ca eu is"
).split()
VARIANTS = (
    [""] * 3 + ["+m%d" % i for i in range(1, 8)] + ["+f%d" % i for i in range(1, 6)]
    + ["+croak", "+klatt", "+klatt2", "+klatt3", "+whisper"]
)
FLITE = ["slt", "rms", "awb", "kal16"]


def sentence(draw):
    words = [draw.choice(WORDS) for _ in range(draw.randint(5, 14))]
    if draw.random() < 0.4:
        words.insert(draw.randint(2, len(words) - 1), ",")
    return " ".join(words)


def syllables(draw):
    onsets = list("ptkbdgmnfvszlrhwjpbm") + ["sh", "ch", "st", "tr"]
    vowels = list("aeiouaoe") + ["ai", "au", "ou"]
    words = []
    for _ in range(draw.randint(4, 10)):
        word = "".join(draw.choice(onsets) + draw.choice(vowels) for _ in range(draw.randint(1, 3)))
        words.append(word + (draw.choice("ptkmnsl") if draw.random() < 0.4 else ""))
    return " ".join(words)


class Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = [
        ("type", ctypes.c_int), ("identifier", ctypes.c_uint), ("text", ctypes.c_int),
        ("length", ctypes.c_int), ("milliseconds", ctypes.c_int), ("sample", ctypes.c_int),
        ("user", ctypes.c_void_p), ("phone", ctypes.c_char * 8),
    ]


class Espeak:
    PHONEME = 7

    def __init__(self):
        self.library = ctypes.CDLL("libespeak-ng.so.1")
        # AUDIO_OUTPUT_RETRIEVAL; phoneme events, in IPA
        self.rate = self.library.espeak_Initialize(1, 0, None, 3)
        kind = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event))
        self.callback = kind(self.receive)
        self.library.espeak_SetSynthCallback(self.callback)

    def receive(self, samples, count, events):
        if samples and count > 0:
            self.sound += ctypes.string_at(samples, 2 * count)
        index = 0
        while events[index].type != 0:
            if events[index].type == self.PHONEME:
                self.phones.append(
                    (events[index].sample / self.rate, events[index].phone.decode("utf8", "ignore")))
            index += 1
        return 0

    def speak(self, draw):
        self.sound, self.phones = b"", []
        language = draw.choice(LANGUAGES)
        # the library keeps a voice's variant for the next voice, where that has none
        voice = language + draw.choice(VARIANTS)
        if self.library.espeak_SetVoiceByName(voice.encode()) != 0:
            return None
        for parameter, value in (
                (1, draw.randint(120, 230)), (3, draw.randint(15, 85)), (4, draw.randint(20, 90))):
            self.library.espeak_SetParameter(parameter, value, 0)
        text = sentence(draw) if language.startswith("en") else syllables(draw)
        data = text.encode() + b"\0"
        self.library.espeak_Synth(data, len(data), 0, 1, 0, 1, None, None)
        self.library.espeak_Synchronize()
        end = len(self.sound) / 2 / self.rate
        ends = [start for start, _ in self.phones[1:]] + [end]
        phones = [(start, stop, phone) for (start, phone), stop in zip(self.phones, ends)]
        return self.rate, self.sound, phones


def flite(draw, path):
    said = subprocess.run(
        ["flite", "-voice", draw.choice(FLITE), "--setf",
         "duration_stretch=%.2f" % draw.uniform(0.8, 1.35), "-t", sentence(draw), "-psdur", "-o", path],
        check=True, capture_output=True, text=True).stdout
    phones, start = [], 0.0
    for word in said.split():
        phone, _, end = word.partition(":")
        if end:
            phones.append((start, float(end), phone.upper()))
            start = float(end)
    with wave.open(path) as file:
        return file.getframerate(), file.readframes(file.getnframes()), phones


def main():
    folder, count = sys.argv[1], int(sys.argv[2])
    draw = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 0)
    os.makedirs(folder, exist_ok=True)
    espeak = Espeak()
    done = 0
    while done < count:
        path = os.path.join(folder, "%05d.wav" % done)
        spoken = flite(draw, path) if draw.random() < 1 / 3 else espeak.speak(draw)
        if not spoken or len(spoken[1]) < 4 * spoken[0]:
            continue
        rate, sound, phones = spoken
        with wave.open(path, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(sound)
        with open(path[:-4] + ".phones", "w") as file:
            for start, end, phone in phones:
                phone = "".join(phone.split()) or "_"
                if end > start:
                    file.write("%.4f %.4f %s\n" % (start, end, phone))
        done += 1


main()
