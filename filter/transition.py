"""stand-in until merged"""


class PromptTransition:
    def __call__(self, prompts, duration, time):
        return prompts

    def reset(self):
        pass
