# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From a data file to Word tables
#
# A hundred patients of a trial of computerised therapy for depression (Proudfoot et al. 2003), as
# a textbook publishes them: one row a patient, a depression score before treatment and at four
# later visits, many of them missing. We draft a trial file from the data, confirm its guesses,
# check it, run it, and open the tables. At a terminal the four steps are four commands, named
# at each step; here they are called, so that each can be looked at.
#
# *Reads* `mair/data/beat_the_blues.csv`. *Writes* into `build/tutorial/`, anew each time.

# %%
import shutil

from IPython.display import Markdown

from mair.run import check, plan
from mair.trial import draft, errors, load

folder = errors.ROOT / "build" / "tutorial"
shutil.rmtree(folder, ignore_errors=True)
folder.mkdir(parents=True)
shutil.copy(errors.ROOT / "mair" / "data" / "beat_the_blues.csv", folder / "my.csv")

# %% [markdown]
# ## 1. A draft: `make new DATA=my.csv OUT=my.yaml`
#
# It is never written over a file that exists. Look at the comments: each says what a guess rests
# on, and what could be meant otherwise. A line with an arrow is a gap that nobody can guess.

# %%
path = draft.main(folder / "my.csv", folder / "my.yaml")
drafted = path.read_text(encoding="utf-8")
Markdown(f"```yaml\n{drafted}```")

# %% [markdown]
# ## 2. Confirm
#
# Participant, arms, visits and columns are right. Four things are ours to say: the title, how the
# visits are called, that 63 is the highest possible score, and that antidepressants and the
# length of the episode belong into the model. In an editor this takes a minute or two.

# %%
changes = {
    "trial: my": "trial: Beat the Blues, worked through",
    "better: lower": "range: [0, 63], better: lower",
    "# covariates: [a": "covariates: [drug, length]  # [a",
    "# responders: {": "responders: {outcome: bdi, visit: 2m, reductions: [0.5]}  # {",
}
confirmed = drafted
for guess, ours in changes.items():
    assert guess in confirmed, guess
    confirmed = confirmed.replace(guess, ours, 1)
path.write_text(confirmed, encoding="utf-8")

# %% [markdown]
# ## 3. Check: `make check PARAMS=my.yaml`
#
# Nothing is run yet. A mistake is one line that says what, where and what to do; a notice is what
# may be meant otherwise. Then follows what would be analysed: who is seen at which visit.

# %%
print(*check.lines(load(path)), sep="\n")

# %% [markdown]
# A mistake looks so. The highest score seen is above 40: with a range to 40 the scores beyond are
# refused, each with its patient, before anything is computed.

# %%
wrong = folder / "wrong.yaml"
wrong.write_text(confirmed.replace("[0, 63]", "[0, 40]"), encoding="utf-8")
try:
    load(wrong)
except errors.TrialError as refused:
    print(refused)

# %% [markdown]
# ## 4. Run: `make run PARAMS=my.yaml`
#
# Every notebook that the trial file has a section for is executed; on two cores this takes half a
# minute. The report is one page; beside it stand the tables, as data and as Word files, the
# figures, and every number in `results.csv`.

# %%
page = plan.run(path, folder / "report", echo=print)

# %%
tables = sorted(table.name for table in (page.parent / "tables").glob("*.docx"))
Markdown(f"{len(tables)} Word tables stand in `build/tutorial/report/tables/`: "
         + ", ".join(f"`{name}`" for name in tables) + ". The page is `index.html` beside them.")

# %% [markdown]
# ## What next
#
# [Every key of a trial file](trial-file.md) stands on a page of its own. Whose scores are made from
# items names a `scale`; who analyses a result seen once gives one visit. A choice of the analysis
# is a line under `analysis:`; run again, and only what depends on it is computed anew.
