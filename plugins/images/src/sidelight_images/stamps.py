"""Cut-outs by class: photographs among Tux Paint's stamps, or a folder of one's own. Imports nothing heavy.

Tux Paint's stamps (GPL-2) are read where Debian's package tuxpaint-stamps-default puts them; nothing of them comes with
Sidelight. The table names those that are photographs of one thing, without ground under it; drawings are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from sidelight_specs import UserError
from sidelight_specs.facts import DataFacts, Mistake, unknown_names
from sidelight_specs.wording import did_you_mean

from sidelight_images.facts import folder_fingerprint, printable
from sidelight_images.listing import Entry, list_folder
from sidelight_images.names import BACKGROUNDS, CONFOUNDED, CUTOUT_FACTORS, PLANTED
from sidelight_images.order import hash_uniform

if TYPE_CHECKING:
    from sidelight_images.params import CutoutsParams

GET_STAMPS = (
    "apt-get install tuxpaint-stamps-default (Debian, Ubuntu), or name a folder of your own cut-outs with `folder`"
)
STAMPS_FOLDER = Path("/usr/share/tuxpaint/stamps")
STAMPS: dict[str, dict[str, str]] = {
    "birds": {
        "animals/birds": (
            "adelaide-rosella blackbird chicken_profile crow crowned_crane cuckoo drake duck gander guineafowl "
            "helmeted_guineafowl hen heron_greatblue heron_greatblue_flying lark little-penguin "
            "magellanic_penguin magpie nandou ostrich owl peacock pelican penguin pigeon pink_flamingo quetzal "
            "rainbow-lorikeet rooster seagull silver-gull tucan turkey vulture"
        ),
    },
    "mammals": {
        "animals/mammals": (
            "badger elephant ferret giraffe hippopotamus pig pig_golden pig_golden2 rabbit_little rhino_black wildboar"
        ),
        "animals/mammals/apes": "chimp gorilla",
        "animals/mammals/aquatic": "dolphin orca otter sea_lion",
        "animals/mammals/bears": "bear european-bear",
        "animals/mammals/bovines": (
            "bison bull cow cow_white gnu-baby gnu-baby-stand gnu-sitting gnu-stand goat indian_blackbuck "
            "mountaingoat ram sheep sheep_lamb zebu"
        ),
        "animals/mammals/camel": "camel dromedary",
        "animals/mammals/cats": "lion lion-2 tiger",
        "animals/mammals/deer": "caribou deer doe wapiti",
        "animals/mammals/dogs": "dingo dog fox",
        "animals/mammals/equines": "donkey donkey_eating horse zebra",
        "animals/mammals/rodents": "beaver capybara marmot mouse rabbit rabbit-2 rat squirrel",
        "animals/marsupials": "kangaroo koala wombat",
    },
    "water-animals": {
        "animals/amphibians": "frog frog-1",
        "animals/fish": (
            "bluegroper butterflyfish clownfish coraltrout dolphinfish lionfish lobster moonwrasse seahorse"
        ),
        "animals/shellfish": "abalone murray-mussel",
    },
    "insects": {
        "animals/insects": "grasshopper hornet hoverfly mantis xanthia",
    },
    "flowers": {
        "plants/flowers": (
            "adeenia anemone_red anthoorium appooppanthady bolsom chemparathi daffodil flower7 iris marigold "
            "pigface red-gazania rose whitestar-petunia yellow-flower"
        ),
        "plants/flowers/plastic": "chuvanna_plastic_poo",
    },
    "small-flowers": {  # of about 100 pixels
        "plants/flowers": "flower1 flower10 flower2 flower3 flower4 flower5 flower6 flower8 flower9",
    },
    "plants": {
        "plants": "eggplant lavender lettuce_bolted thyme",
        "plants/trees": "holly_leaves holm_oak liberia-palm tree336",
    },
    "vehicles": {
        "military/vehicles": "bradley f22_raptor infantry-stryker ww2_german_gun",
        "vehicles": "garbagetruck",
        "vehicles/auto": "beetle sedan sportscar2 truck",
        "vehicles/construction": "dumper",
        "vehicles/cycle": "pink_tricycle",
        "vehicles/emergency": "firetruck",
        "vehicles/flight": "balloon360",
        "vehicles/flight/planes": "747",
        "vehicles/masstransit": "green_korean_bus",
        "vehicles/race": "indycar",
        "vehicles/ship": "chineseJunk walnutBoat",
    },
    "fruit": {
        "food/fruit": (
            "Apricot_whole Cherry_Stella Strawberry2 apple_fuji apple_green apple_red apple_sierra_beauty apricot "
            "avocado banana cherimoya grapes kiwi lemon mandarine mango orange_seville pear pineapple pomegranate "
            "raspberry"
        ),
    },
    "vegetables": {
        "food/spices": "ginger",
        "food/vegetables": (
            "broccoli carrot chilepepper corn lettuce onion pepper pumpkin_small redlettuce yam yellowpepper"
        ),
    },
    "instruments": {
        "hobbies/music/brass": "trumpet",
        "hobbies/music/percussion": "cymbal_crash drum_tomtom_floor drumkit",
        "hobbies/music/string": "cello guitar2 guitar_classical guitar_electric guitar_electric_bass violin",
        "hobbies/music/wind": "bassoon",
    },
    "tools": {
        "household/tools": ("hammer measuring_tape plyers saw spade toolbox wrench wrench_adjustable wrench_plumbers"),
    },
}
"""Class to folder to file names without .png."""
MASK = "object"
REGIONS = ("background", "mark", "noise")
"""Factors that have a region of their own, and a mask where they are confounded or vary."""
MOST_FILES = 20_000  # in a folder of cut-outs, or of backgrounds


@attrs.frozen
class Cutouts:
    """Cut-outs of the chosen classes, the split that each belongs to, and the backgrounds.

    Args:
        entries: all cut-outs, class by class; the factor `cut-out` is an index into it.
        classes: class names, in the order of the labels.
        rows: split to one tuple for each class: indices into `entries`.
        backgrounds: name to file, None for one of ours; the factor `background` is an index into its names.
    """

    entries: tuple[Entry, ...]
    classes: tuple[str, ...]
    rows: Mapping[str, tuple[tuple[int, ...], ...]]
    backgrounds: Mapping[str, Entry | None]

    @property
    def files(self) -> tuple[Entry, ...]:
        """All files that the images are made of, but for our own backgrounds."""
        return (*self.entries, *(entry for entry in self.backgrounds.values() if entry is not None))


def list_cutouts(params: CutoutsParams) -> Cutouts:
    """Cut-outs by class and split. Raises the first of `cutouts_mistakes` as a UserError."""
    for mistake in cutouts_mistakes(params):
        raise UserError(f"{mistake.option}: {mistake.message}" if mistake.option else mistake.message, mistake.fix)
    by_class = _chosen(params, _available(params))
    entries = tuple(entry for members in by_class.values() for entry in members)
    numbers = {entry: index for index, entry in enumerate(entries)}
    divided = [_divided(members, params) for members in by_class.values()]
    rows = {split: tuple(tuple(numbers[entry] for entry in one[split]) for one in divided) for split in _shares(params)}
    known = _known_backgrounds(params)
    backgrounds = {name: known[name] for name in params.backgrounds or known}
    return Cutouts(entries, tuple(by_class), rows, backgrounds)


def cutouts_reads(params: CutoutsParams) -> list[str]:
    """Paths of the cut-outs and backgrounds that the images are made of."""
    return [str(entry.path) for entry in list_cutouts(params).files]


def cutouts_facts(params: CutoutsParams) -> DataFacts:
    """Splits of cut-outs that no other split shows, with masks where nothing is trained."""
    try:
        listed = list_cutouts(params)
        classes, fingerprint = listed.classes, folder_fingerprint(listed.files)
    except (OSError, UserError):
        classes, fingerprint = None, None
    splits = split_sizes(params)
    return DataFacts(
        shape=(3, params.size, params.size),
        splits=dict(splits),
        classes=classes,
        factors=factor_names(params),
        masks={name: () if name == "train" else mask_names(params) for name in splits},
        fingerprint=fingerprint,
    )


def factor_names(params: CutoutsParams) -> tuple[str, ...]:
    """The ten factors of every image, then those that `vary` or `confounds` names."""
    return (*CUTOUT_FACTORS, *(name for name in PLANTED if name in params.vary or name in params.confounds))


def mask_names(params: CutoutsParams) -> tuple[str, ...]:
    """`object`; where something is confounded or varies, also the other regions."""
    if not (params.vary or params.confounds):
        return (MASK,)
    return (MASK, *(name for name in REGIONS if name in factor_names(params)))


def split_sizes(params: CutoutsParams) -> dict[str, int]:
    """Split to its number of images; with something tied to the class, the test images without and against it too."""
    sizes = {split: getattr(params, split) for split in _shares(params)}
    if (params.aligned or params.confounds) and "test" in sizes:
        sizes |= {"test-decorrelated": params.test, "test-conflicting": params.test}
    return sizes


def cutouts_mistakes(params: CutoutsParams) -> Iterator[Mistake]:
    """Stamps or a folder that is not there, unknown names, and classes with too few cut-outs."""
    background_mistakes = list(_background_mistakes(params))
    yield from (*background_mistakes, *_option_mistakes(params))
    try:
        available = _available(params)
    except (OSError, UserError) as error:
        message, fix = (error.message, error.fix) if isinstance(error, UserError) else (str(error), "make it readable")
        yield Mistake(message, fix, "folder")
        return
    group_mistakes = list(_group_mistakes(params, available))
    yield from group_mistakes
    yield from unknown_names("there is no class", params.classes, (*available, *params.groups), "classes")
    if len(set(params.classes)) < len(params.classes):
        yield Mistake("a class is named twice", "name each class once", "classes")
    if background_mistakes or group_mistakes or set(params.classes) - {*available, *params.groups}:
        return
    by_class = _chosen(params, available)
    yield from unknown_names("there is no class", params.aligned, tuple(by_class), "aligned")
    yield from _class_mistakes(params, len(by_class))
    owners: dict[str, str] = {}
    for name, members in by_class.items():
        least = len(_shares(params))
        if len(members) < least:
            fix = f"name {least} or more, or set validation_share or test_share to 0"
            yield Mistake(f'the class "{name}" has {len(members)} cut-outs for {least} splits', fix, "classes")
        for entry in members:
            if owners.setdefault(entry.relative, name) != name:
                message = f'{entry.relative} is in the classes "{owners[entry.relative]}" and "{name}"'
                yield Mistake(message, "leave one of the classes out with `classes`", "classes")
                return


def _option_mistakes(params: CutoutsParams) -> Iterator[Mistake]:
    yield from unknown_names("nothing ties to a class the factor", params.confounds, CONFOUNDED, "confounds")
    if params.aligned and "background" in params.confounds:
        message = "aligned ties the background to the class already"
        yield Mistake(message, "leave background out, or aligned", "confounds")
    if len(params.scale) != 2 or not params.scale[0] <= params.scale[1]:
        yield Mistake("a scale is two numbers, the smaller first", "write scale: [0.4, 0.8]", "scale")
    if params.validation_share + params.test_share > 1:
        yield Mistake("validation_share and test_share are more than 1 together", "lower one of them", "test_share")


def _background_mistakes(params: CutoutsParams) -> Iterator[Mistake]:
    """A folder without images, and names that are none or come twice."""
    if len(set(params.backgrounds)) < len(params.backgrounds):
        yield Mistake("a background is named twice", "name each background once", "backgrounds")
    try:
        known = tuple(_known_backgrounds(params))
    except (OSError, UserError) as error:
        message = error.message if isinstance(error, UserError) else str(error)
        yield Mistake(message, "name a folder of images, or leave it out", "backgrounds_folder")
        return
    yield from unknown_names("there is no background", params.backgrounds, known, "backgrounds")
    chosen = params.backgrounds or known
    yield from unknown_names("there is no background among `backgrounds`", params.aligned.values(), chosen, "aligned")


def _class_mistakes(params: CutoutsParams, count: int) -> Iterator[Mistake]:
    """Ties between one class and itself; fewer backgrounds than classes that have one each."""
    if count < 2 and (params.confounds or params.label_noise):
        option = "confounds" if params.confounds else "label_noise"
        yield Mistake("there is one class, nothing tells it from others", "name more classes", option)
    known = len(params.backgrounds or _known_backgrounds(params))
    if "background" in params.confounds and known < count:
        message = f"{count} classes have a background of their own, there are {known}"
        yield Mistake(message, "name more backgrounds, or fewer classes", "backgrounds")


def _known_backgrounds(params: CutoutsParams) -> dict[str, Entry | None]:
    """Name to file; None for ours."""
    if not params.backgrounds_folder:
        return dict.fromkeys(BACKGROUNDS)
    listing = list_folder(Path(params.backgrounds_folder).expanduser(), MOST_FILES)
    return {printable(entry.relative): entry for entry in listing.entries}


def _group_mistakes(params: CutoutsParams, available: Mapping[str, tuple[Entry, ...]]) -> Iterator[Mistake]:
    known = {*available, *(_stem(entry) for members in available.values() for entry in members)}
    for name, members in params.groups.items():
        for unknown in (one for one in members if one not in known):
            fix = did_you_mean(unknown, sorted(known)) or "name cut-outs by their files, or classes"
            yield Mistake(f'{name}: there is no cut-out or class "{unknown}"', fix, "groups")


def _available(params: CutoutsParams) -> dict[str, tuple[Entry, ...]]:
    """Class to its cut-outs. Raises a UserError where there are none."""
    if params.folder:
        listing = list_folder(Path(params.folder).expanduser(), MOST_FILES)
        if not listing.classes:
            raise UserError(f"{params.folder} has no sub-folder for each class", "put the cut-outs of a class into one")
        return {name: tuple(one for one in listing.entries if one.label == name) for name in listing.classes}
    stamps = {
        name: tuple(
            Entry(STAMPS_FOLDER / folder / f"{stem}.png", f"{folder}/{stem}.png", "", name)
            for folder, stems in folders.items()
            for stem in stems.split()
        )
        for name, folders in STAMPS.items()
    }
    present = {name: tuple(one for one in entries if one.path.is_file()) for name, entries in stamps.items()}
    if not any(present.values()):
        raise UserError(f"Tux Paint's stamps are not in {STAMPS_FOLDER}", GET_STAMPS)
    return {name: entries for name, entries in present.items() if entries}


def _chosen(params: CutoutsParams, available: Mapping[str, tuple[Entry, ...]]) -> dict[str, tuple[Entry, ...]]:
    """Chosen class to its cut-outs; a group holds cut-outs by name and all of the classes that it names."""
    grouped = {
        name: tuple(
            attrs.evolve(entry, label=name)
            for label, entries in available.items()
            for entry in entries
            if label in members or _stem(entry) in members
        )
        for name, members in params.groups.items()
    }
    names = params.classes or tuple(params.groups) or tuple(available)
    return {name: {**available, **grouped}[name] for name in names}


def _stem(entry: Entry) -> str:
    return entry.path.stem


def _shares(params: CutoutsParams) -> dict[str, float]:
    """Split to its share of each class's cut-outs; a split without a share is not there."""
    shares = {
        "train": 1 - params.validation_share - params.test_share,
        "validation": params.validation_share,
        "test": params.test_share,
    }
    return {split: share for split, share in shares.items() if share > 1e-9}


def _divided(entries: tuple[Entry, ...], params: CutoutsParams) -> dict[str, tuple[Entry, ...]]:
    """One class's cut-outs by split, ordered by a hash of their names; at least one in each."""
    shares = _shares(params)
    ordered = sorted(entries, key=lambda entry: hash_uniform(params.seed, entry.relative))
    first = next(iter(shares))  # takes what the others leave
    counts = {split: max(1, round(share * len(ordered))) for split, share in shares.items() if split != first}
    while sum(counts.values()) >= len(ordered):
        counts[max(counts, key=counts.__getitem__)] -= 1
    divided, start = {}, 0
    for split, count in {first: len(ordered) - sum(counts.values()), **counts}.items():
        divided[split] = tuple(ordered[start : start + count])
        start += count
    return divided
