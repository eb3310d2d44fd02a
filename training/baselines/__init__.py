"""The baselines that the paper compares with.

One task's: `full_fine_tuning`, and adapters (`lora`). All tasks together (MT-DNN): `joint_model`, `joint_training`,
`joint_head` (a task left out), `joint_kept`, and `joint` (all of these, resumed where it stopped).
`baseline_checkpoint` is what each leaves behind.
"""
