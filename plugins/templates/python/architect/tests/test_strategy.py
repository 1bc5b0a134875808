"""The strategy against a scripted model."""

import unittest

from atelier_sdk.conversation import Scripted
from strategy import plan_for, understand


class StrategyTest(unittest.TestCase):
    def test_an_idea_is_understood(self) -> None:
        model = Scripted(["title: Greeter\nsummary: It greets.\nrequirement: It says hello.\nrequirement: It says good-bye."])
        self.assertEqual(understand(model, "something that greets").requirements, ["It says hello.", "It says good-bye."])

    def test_a_module_that_would_be_a_path_is_sent_back(self) -> None:
        model = Scripted(["module: ../x\n````\n````", "module: x\n````\nimport x\n````"])
        self.assertEqual(plan_for(model, "X", "X", "R1: x").module, "x")
        self.assertIn("small letters", model.requests[1][-1].text)
