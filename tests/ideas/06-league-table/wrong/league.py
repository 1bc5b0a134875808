"""Makes a league table of match results."""

import argparse
import re
import sys

RESULT = re.compile(r"(\S.*?)\s+([0-9]+)\s*-\s*([0-9]+)\s+(\S.*)")


class Team:
    def __init__(self, name):
        self.name = name
        self.matches = self.points = self.scored = self.conceded = 0

    def add_match(self, scored, conceded):
        self.matches += 1
        self.scored += scored
        self.conceded += conceded
        self.points += 3 if scored > conceded else 1 if scored == conceded else 0

    @property
    def difference(self):
        return self.scored - self.conceded


def table(lines):
    teams = {}
    for line in lines:
        text = line.strip()
        if not text:
            continue
        result = RESULT.fullmatch(text)
        if not result:
            raise ValueError(f"bad line: {text}")
        home, away = result[1], result[4]
        home_goals, away_goals = int(result[2]), int(result[3])
        teams.setdefault(home, Team(home)).add_match(home_goals, away_goals)
        teams.setdefault(away, Team(away)).add_match(away_goals, home_goals)
    ranked = sorted(teams.values(), key=lambda team: (-team.points, -team.scored, -team.difference, team.name))
    return [(team.name, team.matches, team.points, team.difference, team.scored) for team in ranked]


def format_difference(difference):
    return f"{difference:+}" if difference else "0"


def main():
    parser = argparse.ArgumentParser(description="Makes a league table of match results.")
    parser.add_argument("--top", type=int, help="print only the first teams")
    options = parser.parse_args()
    try:
        rows = table(sys.stdin)
    except ValueError as error:
        print(error)
        return 1
    for place, (name, matches, points, difference, _) in enumerate(rows[: options.top], start=1):
        print(f"{place}. {name} {matches} {points} {format_difference(difference)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
