"""The router of `nlu` and `nlu_stream`: requests -> rows -> sequences -> trunk -> branches -> answers."""
