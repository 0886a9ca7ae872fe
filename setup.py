"""Names the packages below the mapped folders, which pyproject.toml cannot."""

from setuptools import find_packages, setup

folders = find_packages(include=["filter", "filter.*", "pipelines", "pipelines.*"])
setup(packages=["turbolens", *(f"turbolens.{folder}" for folder in folders)])
