"""Descent that keeps a mesh smooth, and plain Adam for colours."""

import numpy as np


class SmoothDescent:
    """Positions of vertices that follow gradients smoothly.

    Nicolet, Jacobson and Jakob 2021, "Large Steps in Inverse Rendering of Geometry": with L the combinatorial
    Laplacian, u = (I + lambda L) x is optimised instead of the positions x. A gradient g of x becomes
    (I + lambda L)^-1 g, so a force at one vertex moves its neighbourhood, and triangles neither crumple nor fold.
    Adam's second moment is that of the largest component of all vertices (their section 3.3): one step length for all
    keeps the direction of the smooth step.
    """

    def __init__(self, vertices: np.ndarray, faces: np.ndarray, smoothness: float) -> None:
        """Start at ``vertices`` (N, 3) with lambda = ``smoothness``; factors the matrix once."""
        from scipy.sparse import csc_array, eye_array
        from scipy.sparse.linalg import splu

        matrix = csc_array(eye_array(len(vertices)) + smoothness * laplacian(faces, len(vertices)))
        self._solve = splu(matrix, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve
        self._u = matrix @ np.asarray(vertices, np.float64)
        self._adam = Adam(self._u.shape, uniform=True)

    def step(self, gradient: np.ndarray, rate: float) -> np.ndarray:
        """New positions (N, 3) after a step against the ``gradient`` (N, 3) of the positions.

        ``rate`` is the length of a lasting move of u along an axis, world units; positions move less.
        """
        self._u -= rate * self._adam.direction(self._solve(gradient))
        return self._solve(self._u)


class Adam:
    """Directions of descent from gradients (Kingma and Ba 2015)."""

    def __init__(self, shape: tuple[int, ...], uniform: bool = False, betas: tuple[float, float] = (0.9, 0.99)) -> None:
        """For parameters of ``shape``; ``uniform`` divides all by the largest gradient instead of each by its own."""
        self._betas, self._uniform, self._steps = betas, uniform, 0
        self._mean, self._square = np.zeros(shape), 0.0 if uniform else np.zeros(shape)

    def direction(self, gradient: np.ndarray) -> np.ndarray:
        """The next direction, about 1 long per component while gradients keep their sign."""
        first, second = self._betas
        self._steps += 1
        square = float(np.abs(gradient).max(initial=0)) ** 2 if self._uniform else gradient**2
        self._mean = first * self._mean + (1 - first) * gradient
        self._square = second * self._square + (1 - second) * square
        mean = self._mean / (1 - first**self._steps)
        return mean / (np.sqrt(self._square / (1 - second**self._steps)) + 1e-12)


def laplacian(faces: np.ndarray, count: int) -> "csr_array":  # noqa: F821
    """Combinatorial Laplacian (N, N): the number of neighbours on the diagonal, -1 for each neighbour."""
    from scipy.sparse import coo_array, diags_array

    start, end = faces.reshape(-1), faces[:, [1, 2, 0]].reshape(-1)
    both = np.concatenate([start, end]), np.concatenate([end, start])
    adjacency = coo_array((np.ones(len(both[0])), both), (count, count)).tocsr()
    adjacency.data[:] = 1  # an inner edge was counted for both of its faces
    return (diags_array(adjacency.sum(1)) - adjacency).tocsr()
