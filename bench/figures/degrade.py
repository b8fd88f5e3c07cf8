VARIANTS = {"": ()}
