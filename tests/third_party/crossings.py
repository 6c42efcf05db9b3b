import librosa


class Crossings:
    sample_rate, dim = 16000, 1

    def embed(self, audio):
        return [librosa.feature.zero_crossing_rate(y, hop_length=160).T for y in audio]
