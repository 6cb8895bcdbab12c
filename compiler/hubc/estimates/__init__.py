"""Estimates for a plan: memory, tokens, hours and cost, from a model's `config.json` and the spec.

Nothing here loads weights, opens a connection or runs what a spec names. A caller puts the pieces together:

    path = config_in_repository(root, spec.model.config) or find_config(spec.model.location)
    shape = read_shape(path)                              # ShapeError: "no estimate, because ..."
    training = Training(algorithm="sft", devices=4, ...)  # from TrainParameters and Resources
    memory = estimate_training(shape, training)           # parts, low_bytes, likely_bytes, high_bytes, as_data()
    changes = advice(shape, training, device_bytes)       # lines: what to change so that it fits
    tokens = training_tokens(Span.exactly(1000), tokens_of_text(mean_characters), num_epochs)
    work = estimate_work(tokens, training_flops_a_token(shape, training), Device("h100", tflops=989), num_devices=4)
    StepEstimate(memory, work, changes)                   # as_data(): what a view of the plan shows of a step
"""
