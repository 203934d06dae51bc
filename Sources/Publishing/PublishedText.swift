import Dataset

extension Source {
    /// The source as others know it: by its digest, its size and its name.
    var published: Source {
        var source = self
        source.path = RecordedPath(path).fileName
        source.modified = 0
        return source
    }
}

extension Decision {
    /// The clip's annotation, for others to apply to their own copies of the sources.
    var published: Decision {
        var clip = self
        clip.path = RecordedPath(path).fileName
        return clip
    }
}
