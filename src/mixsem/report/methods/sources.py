"""What the methods sections cite: each source once, whoever cites it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["SOURCES", "Source", "cite", "cited", "resolved"]

_DOI = "https://doi.org/"
#: Where a text cites something: ``[@key]`` or ``[@key; @other]``.
_MARK = re.compile(r"\[@(\w+(?:; @\w+)*)\]")


@dataclass(frozen=True, slots=True)
class Source:
    """A source.

    Attributes
    ----------
    short
        As cited in a text: authors and year.
    text
        As in the list of references, without its DOI.
    doi
        Its DOI; empty if it has none.
    """

    short: str
    text: str
    doi: str = ""

    @property
    def link(self) -> str:
        """Address of its DOI; empty if it has none."""
        return _DOI + self.doi if self.doi else ""

    @property
    def reference(self) -> str:
        """The entry of the list of references."""
        return f"{self.text} {self.link}".rstrip()


def cite(*keys: str) -> str:
    """Mark what a sentence cites; `resolved` turns the mark into authors and years.

    Examples
    --------
    >>> cite("lme4"), resolved(cite("lme4", "gauss_hermite"))
    ('[@lme4]', '(Bates et al., 2015; Liu & Pierce, 1994)')
    """
    return f"[{'; '.join(f'@{key}' for key in keys)}]"


def resolved(text: str) -> str:
    """The text with authors and years; marks of sources that are not known stay what they are."""
    return _MARK.sub(lambda mark: _shown(mark[0], mark[1].split("; @")), text)


def _shown(mark: str, keys: list[str]) -> str:
    known = [SOURCES[key].short for key in keys if key in SOURCES]
    return f"({'; '.join(sorted(known))})" if len(known) == len(keys) else mark


def cited(texts: Iterable[str]) -> tuple[Source, ...]:
    """The sources that texts cite, by author."""
    keys = {key for text in texts for mark in _MARK.findall(text) for key in mark.split("; @")}
    return tuple(sorted((SOURCES[key] for key in keys if key in SOURCES), key=lambda source: source.text))


SOURCES = {
    "mixmg_sem": Source(
        "Perez Alonso et al., 2024",
        "Perez Alonso, A. F., Rosseel, Y., Vermunt, J. K., & De Roover, K. (2024). Mixture multigroup structural"
        " equation modeling: A novel method for comparing structural relations across many groups. Psychological"
        " Methods. Advance online publication. Preprint:",
        "10.31234/osf.io/mvd96",
    ),
    "mixml_sem": Source(
        "Zhao et al., 2025",
        "Zhao, H., Vermunt, J. K., & De Roover, K. (2025). Mixture multilevel SEM versus multilevel SEM for comparing"
        " structural relations across groups in presence of measurement non-invariance. Frontiers in Psychology, 16,"
        " 1463790.",
        "10.3389/fpsyg.2025.1463790",
    ),
    "mixmg_bsem": Source(
        "Zhao et al., 2025",
        "Zhao, H., Vermunt, J. K., & De Roover, K. (2025). Mixture multigroup Bayesian SEM with approximate"
        " measurement invariance for comparing structural relations across many groups. Methodology, 21(4), 286–312.",
        "10.5964/meth.16411",
    ),
    "number_of_clusters": Source(
        "Perez Alonso et al., 2025",
        "Perez Alonso, A. F., Vermunt, J. K., Rosseel, Y., & De Roover, K. (2025). Selecting the number of clusters in"
        " mixture multigroup structural equation modeling. Methodology, 21(1), 1–26.",
        "10.5964/meth.14931",
    ),
    "chull": Source(
        "Ceulemans & Kiers, 2006",
        "Ceulemans, E., & Kiers, H. A. L. (2006). Selecting among three-mode principal component models of different"
        " types and complexities: A numerical convex hull based method. British Journal of Mathematical and Statistical"
        " Psychology, 59(1), 133–150.",
        "10.1348/000711005X64817",
    ),
    "em": Source(
        "Dempster et al., 1977",
        "Dempster, A. P., Laird, N. M., & Rubin, D. B. (1977). Maximum likelihood from incomplete data via the EM"
        " algorithm. Journal of the Royal Statistical Society: Series B, 39(1), 1–38.",
        "10.1111/j.2517-6161.1977.tb01600.x",
    ),
    "squarem": Source(
        "Varadhan & Roland, 2008",
        "Varadhan, R., & Roland, C. (2008). Simple and globally convergent methods for accelerating the convergence of"
        " any EM algorithm. Scandinavian Journal of Statistics, 35(2), 335–353.",
        "10.1111/j.1467-9469.2007.00585.x",
    ),
    "louis": Source(
        "Louis, 1982",
        "Louis, T. A. (1982). Finding the observed information matrix when using the EM algorithm. Journal of the Royal"
        " Statistical Society: Series B, 44(2), 226–233.",
        "10.1111/j.2517-6161.1982.tb01203.x",
    ),
    "two_step": Source(
        "Bakk et al., 2014",
        "Bakk, Z., Oberski, D. L., & Vermunt, J. K. (2014). Relating latent class assignments to external variables:"
        " Standard errors for correct inference. Political Analysis, 22(4), 520–540.",
        "10.1093/pan/mpu003",
    ),
    "sam": Source(
        "Rosseel & Loh, 2024",
        "Rosseel, Y., & Loh, W. W. (2024). A structural after measurement approach to structural equation modeling."
        " Psychological Methods, 29(3), 561–588.",
        "10.1037/met0000503",
    ),
    "croon": Source(
        "Croon, 2002",
        "Croon, M. (2002). Using predicted latent scores in general latent structure models. In G. A. Marcoulides & I."
        " Moustaki (Eds.), Latent variable and latent structure models (pp. 195–223). Lawrence Erlbaum.",
    ),
    "multigroup": Source(
        "Jöreskog, 1971",
        "Jöreskog, K. G. (1971). Simultaneous factor analysis in several populations. Psychometrika, 36(4), 409–426.",
        "10.1007/BF02291366",
    ),
    "missing": Source(
        "Little & Rubin, 2019",
        "Little, R. J. A., & Rubin, D. B. (2019). Statistical analysis with missing data (3rd ed.). Wiley.",
        "10.1002/9781119482260",
    ),
    "polychoric": Source(
        "Olsson, 1979",
        "Olsson, U. (1979). Maximum likelihood estimation of the polychoric correlation coefficient. Psychometrika,"
        " 44(4), 443–460.",
        "10.1007/BF02296207",
    ),
    "approximate": Source(
        "Muthén & Asparouhov, 2012",
        "Muthén, B., & Asparouhov, T. (2012). Bayesian structural equation modeling: A more flexible representation of"
        " substantive theory. Psychological Methods, 17(3), 313–335.",
        "10.1037/a0026802",
    ),
    "nuts": Source(
        "Hoffman & Gelman, 2014",
        "Hoffman, M. D., & Gelman, A. (2014). The No-U-Turn sampler: Adaptively setting path lengths in Hamiltonian"
        " Monte Carlo. Journal of Machine Learning Research, 15, 1593–1623.",
    ),
    "rhat": Source(
        "Vehtari et al., 2021",
        "Vehtari, A., Gelman, A., Simpson, D., Carpenter, B., & Bürkner, P.-C. (2021). Rank-normalization, folding, and"
        " localization: An improved R-hat for assessing convergence of MCMC. Bayesian Analysis, 16(2), 667–718.",
        "10.1214/20-BA1221",
    ),
    "bayes_fit": Source(
        "Garnier-Villarreal & Jorgensen, 2020",
        "Garnier-Villarreal, M., & Jorgensen, T. D. (2020). Adapting fit indices for Bayesian structural equation"
        " modeling: Comparison to maximum likelihood. Psychological Methods, 25(1), 46–70.",
        "10.1037/met0000224",
    ),
    "dic": Source(
        "Spiegelhalter et al., 2002",
        "Spiegelhalter, D. J., Best, N. G., Carlin, B. P., & van der Linde, A. (2002). Bayesian measures of model"
        " complexity and fit. Journal of the Royal Statistical Society: Series B, 64(4), 583–639.",
        "10.1111/1467-9868.00353",
    ),
    "lavaan": Source(
        "Rosseel, 2012",
        "Rosseel, Y. (2012). lavaan: An R package for structural equation modeling. Journal of Statistical Software,"
        " 48(2), 1–36.",
        "10.18637/jss.v048.i02",
    ),
    "satorra_bentler": Source(
        "Satorra & Bentler, 1994",
        "Satorra, A., & Bentler, P. M. (1994). Corrections to test statistics and standard errors in covariance"
        " structure analysis. In A. von Eye & C. C. Clogg (Eds.), Latent variables analysis (pp. 399–419). Sage.",
    ),
    "yuan_bentler": Source(
        "Yuan & Bentler, 2000",
        "Yuan, K.-H., & Bentler, P. M. (2000). Three likelihood-based methods for mean and covariance structure"
        " analysis with nonnormal missing data. Sociological Methodology, 30(1), 165–200.",
        "10.1111/0081-1750.00078",
    ),
    "scaled_shifted": Source(
        "Asparouhov & Muthén, 2010",
        "Asparouhov, T., & Muthén, B. (2010). Simple second order chi-square correction. Mplus technical appendix.",
    ),
    "invariance": Source(
        "Meredith, 1993",
        "Meredith, W. (1993). Measurement invariance, factor analysis and factorial invariance. Psychometrika, 58(4),"
        " 525–543.",
        "10.1007/BF02294825",
    ),
    "cheung_rensvold": Source(
        "Cheung & Rensvold, 2002",
        "Cheung, G. W., & Rensvold, R. B. (2002). Evaluating goodness-of-fit indexes for testing measurement"
        " invariance. Structural Equation Modeling, 9(2), 233–255.",
        "10.1207/S15328007SEM0902_5",
    ),
    "chen": Source(
        "Chen, 2007",
        "Chen, F. F. (2007). Sensitivity of goodness of fit indexes to lack of measurement invariance. Structural"
        " Equation Modeling, 14(3), 464–504.",
        "10.1080/10705510701301834",
    ),
    "rutkowski_svetina": Source(
        "Rutkowski & Svetina, 2014",
        "Rutkowski, L., & Svetina, D. (2014). Assessing the hypothesis of measurement invariance in the context of"
        " large-scale international surveys. Educational and Psychological Measurement, 74(1), 31–57.",
        "10.1177/0013164413498257",
    ),
    "difference_2001": Source(
        "Satorra & Bentler, 2001",
        "Satorra, A., & Bentler, P. M. (2001). A scaled difference chi-square test statistic for moment structure"
        " analysis. Psychometrika, 66(4), 507–514.",
        "10.1007/BF02296192",
    ),
    "fdr": Source(
        "Benjamini & Hochberg, 1995",
        "Benjamini, Y., & Hochberg, Y. (1995). Controlling the false discovery rate: A practical and powerful approach"
        " to multiple testing. Journal of the Royal Statistical Society: Series B, 57(1), 289–300.",
        "10.1111/j.2517-6161.1995.tb02031.x",
    ),
    "lme4": Source(
        "Bates et al., 2015",
        "Bates, D., Mächler, M., Bolker, B., & Walker, S. (2015). Fitting linear mixed-effects models using lme4."
        " Journal of Statistical Software, 67(1), 1–48.",
        "10.18637/jss.v067.i01",
    ),
    "satterthwaite": Source(
        "Kuznetsova et al., 2017",
        "Kuznetsova, A., Brockhoff, P. B., & Christensen, R. H. B. (2017). lmerTest package: Tests in linear mixed"
        " effects models. Journal of Statistical Software, 82(13), 1–26.",
        "10.18637/jss.v082.i13",
    ),
    "kenward_roger": Source(
        "Kenward & Roger, 1997",
        "Kenward, M. G., & Roger, J. H. (1997). Small sample inference for fixed effects from restricted maximum"
        " likelihood. Biometrics, 53(3), 983–997.",
        "10.2307/2533558",
    ),
    "residual_structures": Source(
        "Pinheiro & Bates, 2000",
        "Pinheiro, J. C., & Bates, D. M. (2000). Mixed-effects models in S and S-PLUS. Springer.",
        "10.1007/b98882",
    ),
    "gauss_hermite": Source(
        "Liu & Pierce, 1994",
        "Liu, Q., & Pierce, D. A. (1994). A note on Gauss-Hermite quadrature. Biometrika, 81(3), 624–629.",
        "10.1093/biomet/81.3.624",
    ),
}
