"""The layers that a student starts from, at its teacher's tap or at another one."""

from training.encoder import Encoder
from training.model import Branch, bottom_of


def student_at(teacher: Branch, teacher_tap: int, encoder: Encoder, tap: int, layers: int) -> Branch:
    """Returns a student of `layers` layers that reads the trunk at `tap`, with the teacher's head.

    It starts from layers tap+1..tap+l of the teacher's whole network: the pretrained ones up to the teacher's tap, the
    fine-tuned ones above it. At the teacher's own tap these are its lowest fine-tuned layers (paper, section 3.2).
    """
    student = bottom_of(encoder, tap, layers, teacher)
    for number, own in enumerate(student.layers, start=tap + 1):
        if number > teacher_tap:
            own.load_state_dict(teacher.layers[number - teacher_tap - 1].state_dict())
    head = {name: tensor for name, tensor in teacher.state_dict().items() if not name.startswith("layers.")}
    student.load_state_dict(head, strict=False)
    return student
