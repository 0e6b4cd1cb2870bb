"""What to cite, by what was done."""

from __future__ import annotations

from ..measurement.bayes_fit import BayesianFit
from ..measurement.fit import MeasurementFit
from ..structural.fit import MixtureFit
from .mixture_tables import method_name
from .page import Section
from .values import escape_html

__all__ = ["reference_section"]

_PEREZ_ALONSO = (
    "Perez Alonso, A. F., Rosseel, Y., Vermunt, J. K., & De Roover, K. (2024). Mixture multigroup structural equation"
    " modeling: A novel method for comparing structural relations across many groups. Psychological Methods. Advance"
    " online publication."
)
_ROSSEEL = (
    "Rosseel, Y., & Loh, W. W. (2024). A structural after measurement approach to structural equation modeling."
    " Psychological Methods, 29(3), 561–588. https://doi.org/10.1037/met0000503"
)
_CROON = (
    "Croon, M. (2002). Using predicted latent scores in general latent structure models. In G. A. Marcoulides & I."
    " Moustaki (Eds.), Latent variable and latent structure models (pp. 195–223). Lawrence Erlbaum."
)
_NUTS = (
    "Hoffman, M. D., & Gelman, A. (2014). The No-U-Turn sampler: Adaptively setting path lengths in Hamiltonian Monte"
    " Carlo. Journal of Machine Learning Research, 15, 1593–1623."
)
_BAYES_FIT = (
    "Garnier-Villarreal, M., & Jorgensen, T. D. (2020). Adapting fit indices for Bayesian structural equation modeling:"
    " Comparison to maximum likelihood. Psychological Methods, 25(1), 46–70. https://doi.org/10.1037/met0000224",
    "Spiegelhalter, D. J., Best, N. G., Carlin, B. P., & van der Linde, A. (2002). Bayesian measures of model"
    " complexity and fit. Journal of the Royal Statistical Society: Series B, 64(4), 583–639."
    " https://doi.org/10.1111/1467-9868.00353",
)
_RHAT = (
    "Vehtari, A., Gelman, A., Simpson, D., Carpenter, B., & Bürkner, P.-C. (2021). Rank-normalization, folding, and"
    " localization: An improved R-hat for assessing convergence of MCMC. Bayesian Analysis, 16(2), 667–718."
    " https://doi.org/10.1214/20-BA1221"
)
_SELECTION = (
    "Perez Alonso, A. F., Vermunt, J. K., Rosseel, Y., & De Roover, K. (2025). Selecting the number of clusters in"
    " mixture multigroup structural equation modeling. Methodology, 21(1), 1–26. https://doi.org/10.5964/meth.14931",
    "Ceulemans, E., & Kiers, H. A. L. (2006). Selecting among three-mode principal component models of different types"
    " and complexities: A numerical convex hull based method. British Journal of Mathematical and Statistical"
    " Psychology, 59(1), 133–150. https://doi.org/10.1348/000711005X64817",
)
_BY_METHOD = {
    "MixML-SEM": "Zhao, H., Vermunt, J. K., & De Roover, K. (2025). Mixture multilevel SEM versus multilevel SEM for"
    " comparing structural relations across groups in presence of measurement non-invariance. Frontiers in Psychology,"
    " 16, 1463790. https://doi.org/10.3389/fpsyg.2025.1463790",
    "MixMG-BSEM": "Zhao, H., Vermunt, J. K., & De Roover, K. (2025). Mixture multigroup Bayesian SEM with approximate"
    " measurement invariance for comparing structural relations across many groups. Methodology, 21(4), 286–312."
    " https://doi.org/10.5964/meth.16411",
}


def reference_section(fit: MixtureFit, measurement: MeasurementFit | BayesianFit | None, *, selected: bool) -> Section:
    """What to cite.

    Parameters
    ----------
    fit
        The mixture.
    measurement
        The measurement model, if there was one.
    selected
        Whether the number of clusters was chosen among several.
    """
    own = _BY_METHOD.get(method_name(fit))
    texts = [_PEREZ_ALONSO, *([own] if own else []), *(_SELECTION if selected else ())]
    if isinstance(measurement, BayesianFit):
        sampled = measurement.specification.method == "nuts"
        texts += [_CROON, *_BAYES_FIT, *((_NUTS, _RHAT) if sampled else ())]
    else:
        texts.append(_ROSSEEL)
    listed = "".join(f"<li>{escape_html(text)}</li>" for text in sorted(texts))
    return Section("references", "References", f"<ul>{listed}</ul>")
