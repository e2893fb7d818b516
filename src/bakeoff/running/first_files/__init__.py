"""The first benchmark and task of one's own, made from what people have (`bakeoff init`)."""
