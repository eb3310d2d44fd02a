"""The router of `nlu` and `nlu_stream`: request -> rows -> sequences -> trunk -> branches -> answers."""
